import type { Config } from '../config/schema.ts'
import type { Logger } from '../kernel/logger.ts'
import { openDiskFileStore } from './disk/disk-file-store.ts'
import type { FileStore } from './file-store.ts'
import { openS3FileStore } from './s3/s3-file-store.ts'

/** The engine that the configuration names. */
export const openFileStore = (config: Config, { log }: { log: Logger }): FileStore => {
  const { s3Endpoint: endpoint, s3Bucket: bucket, s3AccessKey: accessKey, s3SecretKey: secretKey } = config
  if (endpoint === undefined || bucket === undefined || accessKey === undefined || secretKey === undefined) {
    return openDiskFileStore(config)
  }
  const { s3Region: region, s3Prefix: prefix = '', s3PathStyle: pathStyle, s3Redirect: redirect } = config
  return openS3FileStore({ endpoint, bucket, region, accessKey, secretKey, prefix, pathStyle, redirect }, { log })
}
