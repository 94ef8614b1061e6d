// Makes src/gql from schema.graphql and the documents in the sources, with the client preset of GraphQL Code Generator. The codegen CLI is
// not used: it has hundreds of dependencies for file formats and loaders that this app does not need.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { preset } from '@graphql-codegen/client-preset';
import { codegen } from '@graphql-codegen/core';
import { gqlPluckFromCodeStringSync } from '@graphql-tools/graphql-tag-pluck';
import { buildSchema, parse, printSchema } from 'graphql';

const root = new URL('../', import.meta.url);
const schema = buildSchema(readFileSync(new URL('../../schema.graphql', root), 'utf8'));

/** The documents of the sources: the texts of `graphql(...)` calls. */
function documents() {
  const names = readdirSync(new URL('src', root), { recursive: true });
  const sources = names.filter((name) => /\.tsx?$/.test(name) && !name.startsWith('gql'));
  return sources.toSorted().flatMap((name) => {
    const code = readFileSync(new URL(`src/${name}`, root), 'utf8');
    const plucked = gqlPluckFromCodeStringSync(name, code, { globalGqlIdentifierName: 'graphql', skipIndent: true });
    return plucked.map(({ body }) => ({ location: name, rawSDL: body, document: parse(body) }));
  });
}

const config = {
  strictScalars: true,
  scalars: { ID: 'string', DateTime: 'string', Date: 'string', JSONObject: 'Record<string, unknown>', URL: 'string' },
  enumType: 'string-literal',
  enumsAsTypes: true,
  documentMode: 'string',
  useTypeImports: true,
};
const generated = await preset.buildGeneratesSection({
  baseOutputDir: 'src/gql/',
  schema: parse(printSchema(schema)),
  schemaAst: schema,
  documents: documents(),
  config,
  presetConfig: { fragmentMasking: { unmaskFunctionName: 'read' } },
  plugins: [],
  pluginMap: {},
  documentTransforms: [],
});
mkdirSync(new URL('src/gql', root), { recursive: true });
await Promise.all(generated.map(async (options) => writeFileSync(new URL(options.filename, root), await codegen(options))));
