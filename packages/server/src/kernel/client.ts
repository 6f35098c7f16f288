import type { Origin } from '@confab/protocol'

/** What a client says of itself in the headers of its request. */
export interface Client {
  /** `data.resource` of the messages it sends; clients use one id per device or page. */
  readonly resource: string
  /** `origin` of the callbacks that its messages cause. */
  readonly origin: Origin
  /** How many bots have spoken in turn before what it sends; counts for bots alone. */
  readonly hop: number
  /** Categories of messages that it cannot show: lists leave them out, where it would stumble over them. */
  readonly unknownCategories?: readonly string[]
}
