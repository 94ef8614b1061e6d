// Makes src/generated.ts, the types of the documents in src/documents.ts, from schema.graphql. With --check, it fails if the file is stale.
// All documents are validated against the schema.

import { readFileSync, writeFileSync } from 'node:fs';
import { codegen } from '@graphql-codegen/core';
import * as operations from '@graphql-codegen/typescript-operations';
import { build } from 'esbuild';
import { buildSchema, parse, validate } from 'graphql';

const root = new URL('../', import.meta.url);
const target = new URL('src/generated.ts', root);

/** The exports of src/documents.ts. */
async function documents() {
  const entryPoints = [new URL('src/documents.ts', root).pathname];
  const { outputFiles } = await build({ entryPoints, bundle: true, format: 'esm', write: false });
  return import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
}

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', root), 'utf8'));
const texts = Object.values(await documents()).flatMap((value) => (typeof value === 'string' ? [value] : Object.values(value)));
const definitions = new Map();
for (const text of texts) {
  const document = parse(text);
  const isOperation = document.definitions.some(({ kind }) => kind === 'OperationDefinition');
  const errors = isOperation ? validate(schema, document) : [];
  if (errors.length) throw new Error(`${errors[0].message}\n${text}`);
  for (const definition of document.definitions) definitions.set(definition.name.value, definition);
}

const config = {
  strictScalars: true,
  scalars: { ID: 'string', DateTime: 'string', Date: 'string', JSONObject: 'Record<string, unknown>', URL: 'string' },
  enumType: 'string-literal',
  skipTypename: true,
  immutableTypes: true,
  useTypeImports: true,
  arrayInputCoercion: false,
};
const generated = await codegen({
  filename: 'src/generated.ts',
  schema: undefined,
  schemaAst: schema,
  documents: [{ document: { kind: 'Document', definitions: [...definitions.values()] } }],
  config,
  plugins: [{ operations: {} }],
  pluginMap: { operations },
});
const text = `// Made from schema.graphql and src/documents.ts by \`npm run generate\`. Do not edit.\n${generated}`;
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') === text) process.exit(0);
  console.error('src/generated.ts is stale. Run `npm run generate` and commit the result.');
  process.exit(1);
}
writeFileSync(target, text);
