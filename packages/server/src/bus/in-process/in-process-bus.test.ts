import { testBus } from '../conformance/bus-conformance.ts'
import { InProcessHub } from './in-process-bus.ts'

const hub = new InProcessHub()

testBus('in-process', async (log) => hub.open(log))
