/** Sizes and counts of the contract. Lengths are in characters unless the name says otherwise. */
export const limits = {
  uidLength: 100,
  guidLength: 100,
  botUidLength: 50,
  roleLength: 100,
  nameLength: 100,
  urlLength: 3000,
  callbackUrlLength: 255,
  callbackCredentialLength: 50,
  callbackTimeoutSeconds: 60,
  repliesPerCallback: 10,
  updatesPerCall: 1000,
  updateOffset: 999_999_999_999,
  updatesTimeoutSeconds: 50,
  botConcurrency: 1000,
  botCidrs: 20,
  retryDelays: 20,
  retryDelaySeconds: 86_400,
  retryForSeconds: 30 * 86_400,
  /** The longest overlap of two signing secrets, and the one of who does not say. */
  secretOverlapSeconds: 604_800,
  secretOverlapSecondsDefault: 86_400,
  groupPasswordLength: 100,
  groupDescriptionLength: 255,
  statusMessageLength: 255,
  tags: 25,
  tagLength: 100,
  /** User and group metadata, as JSON. */
  metadataBytes: 5 * 1024,
  /** `data` of a message, as JSON. */
  messageDataBytes: 10 * 1024,
  muidLength: 100,
  messageTypeLength: 100,
  mentionsPerMessage: 10,
  attachmentsPerMessage: 25,
  fileNameLength: 100,
  mimeTypeLength: 127,
  /** How long a form for an announced upload can be used. */
  uploadSeconds: 60 * 60,
  /** How long an uploaded file waits for its message. */
  unusedFileSeconds: 24 * 60 * 60,
  receiversPerMessage: 100,
  membersPerCall: 25,
  botsPerApp: 25,
  apiKeysPerApp: 25,
  uidsPerCall: 100,
  pageSize: 100,
  pageSizeMax: 1000,
  /** A JSON request body. */
  bodyBytes: 256 * 1024,
  /** Within this time the same muid of the same sender means the same message. */
  muidWindowSeconds: 24 * 60 * 60,
} as const
