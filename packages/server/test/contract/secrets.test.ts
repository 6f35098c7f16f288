/** Nothing secret stands in the log, nor in what is answered to a request that failed. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { makeReceiver, type Receiver } from '../support/receiver.ts'
import { Api, type Json } from '../support/api.ts'
import { makeScene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
