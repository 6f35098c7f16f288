/** What the server counts, for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What the gateway counts. */
export interface GatewayMetrics {
  framesSent(frames: number): void
  frameIgnored(why: string): void
  sessionClosed(why: string): void
  watchSessions(gauges: { sessions: () => number; rooms: () => number }): void
}

export interface Metrics extends GatewayMetrics {
  readonly contentType: string
  render(): Promise<string>
  request(labels: { method: string; route: string; status: number }, seconds: number): void
  accepted(): void
  attempted(outcome: string, seconds: number): void
  /** From the moment the message was accepted to the start of the first attempt. */
  handedOver(seconds: number): void
  finished(state: 'delivered' | 'dead'): void
  breakerOpened(): void
  /** Of one webhook that was asked before a message was accepted. */
  askedBefore(outcome: string, seconds: number): void
  /** Unix seconds, asked for when they are read. */
  watchCertificate(notAfter: () => number): void
  /** Values that are asked for when they are read. */
  watch(gauges: {
    lanes: () => number
    inFlight: () => number
    backlog: () => Promise<{ pending: number; oldestAgeSeconds: number }>
  }): void
}

const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export const makeMetrics = (): Metrics => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const requests = new Histogram({
    name: 'confab_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: LATENCY_BUCKETS,
    registers,
  })
  const accepted = new Counter({ name: 'confab_messages_accepted_total', help: 'Messages stored.', registers })
  const attempts = new Histogram({
    name: 'confab_callback_attempt_duration_seconds',
    help: 'Time of one attempt of a callback, to the last byte of the answer.',
    labelNames: ['outcome'],
    buckets: LATENCY_BUCKETS,
    registers,
  })
  const handedOver = new Histogram({
    name: 'confab_callback_first_attempt_delay_seconds',
    help: 'Time from the acceptance of a message to the start of its first attempt.',
    buckets: LATENCY_BUCKETS,
    registers,
  })
  const finished = new Counter({
    name: 'confab_deliveries_finished_total',
    help: 'Deliveries that came to an end.',
    labelNames: ['state'],
    registers,
  })
  const opened = new Counter({
    name: 'confab_breakers_opened_total',
    help: 'How often the circuit breaker of a bot was opened by this node.',
    registers,
  })
  const askedBefore = new Histogram({
    name: 'confab_before_message_duration_seconds',
    help: 'Time that a webhook took which was asked before a message was accepted.',
    labelNames: ['outcome'],
    buckets: LATENCY_BUCKETS,
    registers,
  })
  const framesSent = new Counter({
    name: 'confab_gateway_frames_sent_total',
    help: 'Frames that were sent to sessions.',
    registers,
  })
  const framesIgnored = new Counter({
    name: 'confab_gateway_frames_ignored_total',
    help: 'Frames of clients that had no effect.',
    labelNames: ['why'],
    registers,
  })
  const sessionsClosed = new Counter({
    name: 'confab_gateway_sessions_closed_total',
    help: 'Sessions that ended.',
    labelNames: ['why'],
    registers,
  })
  const gauge = (name: string, help: string, read?: () => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        if (read !== undefined) this.set(read())
      },
    })
  let refresh = (): Promise<void> => Promise.resolve()
  return {
    contentType: registry.contentType,
    render: async () => {
      await refresh()
      return registry.metrics()
    },
    request: (labels, seconds) => requests.observe(labels, seconds),
    accepted: () => accepted.inc(),
    attempted: (outcome, seconds) => attempts.observe({ outcome }, seconds),
    handedOver: (seconds) => handedOver.observe(seconds),
    finished: (state) => finished.inc({ state }),
    breakerOpened: () => opened.inc(),
    askedBefore: (outcome, seconds) => askedBefore.observe({ outcome }, seconds),
    framesSent: (frames) => framesSent.inc(frames),
    frameIgnored: (why) => framesIgnored.inc({ why }),
    sessionClosed: (why) => sessionsClosed.inc({ why }),
    watchSessions: ({ sessions, rooms }) => {
      gauge('confab_gateway_sessions', 'Sockets that are open on this node.', sessions)
      gauge('confab_gateway_groups', 'Groups that members with a session on this node are in.', rooms)
    },
    watchCertificate: (notAfter) => {
      gauge(
        'confab_tls_certificate_expiry_timestamp_seconds',
        'When the certificate in use expires, as unix time.',
        notAfter,
      )
    },
    watch: ({ lanes, inFlight, backlog }) => {
      gauge('confab_lanes_claimed', 'Lanes that this node works.', lanes)
      gauge('confab_callback_attempts_in_flight', 'Attempts under way on this node.', inFlight)
      const oldest = gauge('confab_deliveries_oldest_pending_seconds', 'Age of the oldest delivery still to be made.')
      const pending = gauge('confab_deliveries_pending', 'Deliveries still to be made, of all nodes.')
      refresh = async () => {
        const found = await backlog()
        pending.set(found.pending)
        oldest.set(found.oldestAgeSeconds)
      }
    },
  }
}
