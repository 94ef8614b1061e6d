// Blocks in GraphQL and JSON: documents are validated against the schema and executed, and responses are compared.
import { readFileSync } from 'node:fs';
import { buildSchema, GraphQLError, NoDeprecatedCustomRule, NoUnusedFragmentsRule, parse, specifiedRules, validate } from 'graphql';
import { difference } from './compare.mjs';
import { replaced, send } from './user.mjs';

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isResponse = (value) => isObject(value) && ('data' in value || 'errors' in value);
const isRequest = (value) => isObject(value) && ('query' in value || 'documentId' in value);

export class GraphqlRunner {
  constructor(root, url) {
    this.schema = buildSchema(readFileSync(`${root}/schema.graphql`, 'utf8'));
    this.url = url;
  }

  /** Validates a document and executes it with the variables and the expected response of the blocks that follow it. */
  async document(block, following, user) {
    const document = parsed(block.text);
    const isFragment = document?.definitions.every(({ kind }) => kind === 'FragmentDefinition');
    const rules = [...specifiedRules, NoDeprecatedCustomRule].filter((rule) => !isFragment || rule !== NoUnusedFragmentsRule);
    const [error] = document ? validate(this.schema, document, rules) : [];
    if (error) throw new Error(error.message);
    if (isFragment) return 'validated';
    const values = following.map(({ text }) => JSON.parse(text));
    const variables = values[0] !== undefined && !isResponse(values[0]) && !isRequest(values[0]) ? values.shift() : {};
    await this.execute({ query: block.text, variables }, isResponse(values[0]) ? values[0] : undefined, user);
    return 'executed';
  }

  /** Executes the request in a block of JSON. Returns undefined if it is something else. */
  async json(block, following, user) {
    const value = JSON.parse(block.text);
    if (!isRequest(value)) return undefined;
    const response = following.map(({ text }) => JSON.parse(text)).find(isResponse);
    await this.execute(value, response, user);
    return 'executed';
  }

  async execute(body, expected, user) {
    const response = await send(this.url, user.token, replaced(body, user.values));
    const found = expected ? difference(expected, response) : problemOf(response);
    if (found) throw new Error(found);
  }
}

/** Undefined if graphql-js cannot parse the document. It does not know descriptions of operations yet; the service does, and reports errors. */
function parsed(text) {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof GraphQLError) return undefined;
    throw error;
  }
}

/** What is wrong with a response that the page does not show: it must have neither errors nor, at the top, `userErrors`. */
export function problemOf({ data, errors }) {
  if (errors?.length) return `the response has errors: ${JSON.stringify(errors)}`;
  const failed = Object.values(data ?? {}).find((payload) => payload?.userErrors?.length);
  return failed && `the mutation failed: ${JSON.stringify(failed.userErrors)}`;
}
