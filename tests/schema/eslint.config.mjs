// The rules of graphql-eslint for schema.graphql, for the examples in its descriptions, and for the operations of the clients in this
// repository. Run it in the root of the repository. Each rule that is off has its reason beside it.

import { readFileSync } from 'node:fs';
import graphql from '@graphql-eslint/eslint-plugin';
import { transformSync } from 'esbuild';
import { parse, print } from 'graphql';
import { deprecationNamesReplacement } from './deprecations.mjs';

const SCHEMA = 'schema.graphql';
const EXAMPLES = 'src/graphql/examples/*.graphql';
const RUST = 'tests/clients/matrix/rust/src/operations.graphql';
const PACKAGE = 'packages/client/src/documents.ts';
/** The web example without its folder `gql`, which is generated. */
const WEB = 'examples/web/src/!(gql)/**/*.{ts,tsx}';
/** Programs that each have their own documents. */
const PROGRAMS = [
  'tests/clients/matrix/clients/apollo.ts',
  'tests/clients/matrix/clients/gql-tada.ts',
  'tests/clients/matrix/clients/graphcache.ts',
  'tests/clients/matrix/clients/graphql-request.ts',
  'tests/clients/documents/apollo/app.js',
  'tests/clients/documents/codegen/app.ts',
];
const RELAY = ['tests/clients/matrix/clients/relay/Tasks.tsx', 'tests/clients/documents/relay/app.js'];

/** The definitions in the texts that `documents.ts` of the client package exports. Functions compose them, so that they cannot be read from
 * the source. */
function composed(source) {
  const { code } = transformSync(source, { loader: 'ts', format: 'cjs' });
  const module = { exports: {} };
  new Function('module', 'exports', code)(module, module.exports);
  const texts = Object.values(module.exports).flatMap((value) => (typeof value === 'string' ? value : Object.values(value)));
  const definitions = texts.flatMap((text) => parse(text).definitions.map(print));
  return [...new Set(definitions)].join('\n\n');
}

/** Documents that rules such as `unique-operation-name` and `known-fragment-names` look at together. */
const projects = Object.fromEntries(
  [SCHEMA, EXAMPLES, RUST, PACKAGE, WEB, ...PROGRAMS, ...RELAY].map((files) => [
    files,
    {
      schema: SCHEMA,
      documents: { [SCHEMA]: [], [PACKAGE]: composed(readFileSync(PACKAGE, 'utf8')) }[files] ?? files,
      include: files,
    },
  ]),
);

/** Finds the documents in TypeScript and JavaScript, and leaves the rest of the file to other linters. */
const documents = {
  meta: { name: 'documents', version: '1' },
  preprocess(code, path) {
    if (path.endsWith(PACKAGE)) return [{ filename: 'document.graphql', text: composed(code) }];
    return graphql.processor.preprocess(code, path).filter((block) => typeof block !== 'string');
  },
  postprocess: (messages, path) => (path.endsWith(PACKAGE) ? messages.flat() : graphql.processor.postprocess(messages, path)),
};

const linted = {
  languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { projects } } },
  plugins: { '@graphql-eslint': graphql, snapnote: { rules: { 'deprecation-names-replacement': deprecationNamesReplacement } } },
};
const rules = graphql.configs;

export default [
  // Code generators and tests write these.
  { ignores: ['examples/web/src/gql/**', 'tests/clients/matrix/generated/**', 'tests/clients/*/built/**'] },
  { files: [PACKAGE, WEB, ...PROGRAMS, ...RELAY], plugins: { snapnote: { processors: { documents } } }, processor: 'snapnote/documents' },
  {
    ...linted,
    files: [SCHEMA],
    rules: {
      ...rules['flat/schema-recommended'].rules,
      // The recommended rule, for fields, arguments and values of enums as well. The arguments of the specification's directives have
      // descriptions in introspection, but the exported schema does not contain them.
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          ignoredSelectors: ['[parent.kind=DirectiveDefinition]'],
        },
      ],
      // Connections and edges follow Relay's specification, and payloads are results: none of them is an object with an identity. Neither
      // are these types: an entry of a log, or a part of the object that contains it.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          exceptions: {
            suffixes: ['Connection', 'Edge', 'Payload'],
            types: [
              'Account', 'AuditEvent', 'Change', 'Highlight', 'HttpHeader', 'Image', 'PageInfo', 'Profile', 'TextRange', 'Thumbnail',
              'Usage', 'UserError',
            ],
          },
        },
      ],
      // Its only report is `Change.changedAt`, whose name the API's contract sets. The rule has no exceptions.
      '@graphql-eslint/no-typename-prefix': 'off',
      'snapnote/deprecation-names-replacement': 'error',
    },
  },
  {
    ...linted,
    files: ['**/*.graphql'],
    ignores: [SCHEMA],
    rules: rules['flat/operations-recommended'].rules,
  },
  {
    // `composed` names each definition once. These rules compare it with itself, because its text has no file.
    files: [`${PACKAGE}/*.graphql`],
    rules: { '@graphql-eslint/unique-operation-name': 'off', '@graphql-eslint/unique-fragment-name': 'off' },
  },
  {
    // Manifests are made from these documents, and no cache reads their responses. They select as little as possible.
    files: ['tests/clients/documents/**/*.graphql'],
    rules: { '@graphql-eslint/require-selections': 'off' },
  },
  {
    // Relay's compiler demands names such as `TasksPageQuery` and `Tasks_row`, has directives and the field `__id` of its own, declares
    // variables of fragments with `@argumentDefinitions`, and selects ids itself. It checks all of this.
    files: RELAY.map((file) => `${file}/*.graphql`),
    rules: {
      '@graphql-eslint/fields-on-correct-type': 'off',
      '@graphql-eslint/known-directives': 'off',
      '@graphql-eslint/naming-convention': 'off',
      '@graphql-eslint/no-undefined-variables': 'off',
      '@graphql-eslint/require-selections': 'off',
    },
  },
];
