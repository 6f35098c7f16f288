// The directions of imports (see ARCHITECTURE.md). A rule's name says what it protects.
const S = '^packages/server/src/'
const feature =
  '(apps|users|roles|groups|conversations|messages|bots|webhooks|callbacks|deliveries|delivery|files|imports|stats)'
const rule = (name, from, to) => ({ name, severity: 'error', from, to })

module.exports = {
  forbidden: [
    rule('no-cycles', {}, { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }),
    rule(
      'kernel-imports-nothing',
      { path: `${S}kernel/` },
      { pathNot: [`${S}kernel/`, '^packages/protocol/', '^node_modules/ulid/'], dependencyTypesNot: ['core'] },
    ),
    rule('protocol-is-standalone', { path: '^packages/protocol/' }, { path: '^packages/(server|bot-sdk|console)/' }),
    rule('clients-see-only-protocol', { path: '^packages/(bot-sdk|console)/' }, { path: '^packages/server/' }),
    rule(
      'features-know-ports-not-drivers',
      { path: `${S}${feature}/` },
      { path: `${S}(storage|bus)/(in-process|sqlite|postgres|nats)/` },
    ),
    rule(
      'features-are-transport-free',
      { path: `${S}${feature}/`, pathNot: '\\.routes\\.ts$' },
      { path: [`${S}(http|gateway|cli)/`, '^node_modules/(fastify|ws)/'] },
    ),
    rule('routes-are-private', { path: S, pathNot: `${S}api\\.ts$` }, { path: '\\.routes\\.ts$' }),
    rule(
      'only-the-driver-names-its-database',
      {
        path: '^packages/',
        pathNot: `${S}(storage/(sqlite|postgres)|bus/(nats|postgres)|testing)/|\\.test\\.ts$|/test/`,
      },
      { path: '(node_modules/(pg|@nats-io)(/|$))|^(node:)?sqlite$' },
    ),
    rule(
      'only-compose-wires',
      { path: S, pathNot: `${S}(main|compose)\\.ts$|${S}(cli|testing)/` },
      { path: `${S}(compose|api)\\.ts$` },
    ),
    rule(
      'production-never-imports-testing',
      { path: '^packages/', pathNot: '(\\.test\\.ts$|/testing/|/test/|/conformance/)' },
      { path: '/testing/' },
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'types', 'default'],
    },
  },
}
