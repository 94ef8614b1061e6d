// The rule `deprecation-names-replacement`.

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import graphql from '@graphql-eslint/eslint-plugin';
import { Linter } from 'eslint';
import { deprecationNamesReplacement } from '../deprecations.mjs';

/** The paths that the rule reports, if `Task.due` is deprecated for this reason. */
function reported(sdl) {
  const config = {
    files: ['**/*.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { schemaSdl: sdl } },
    plugins: { snapnote: { rules: { rule: deprecationNamesReplacement } } },
    rules: { 'snapnote/rule': 'error' },
  };
  const messages = new Linter().verify(sdl, config, 'schema.graphql');
  return messages.map(({ ruleId, message }) => (ruleId ? message.split('`')[1] : message));
}

const due = (reason) => `
  type Query { tasks(first: Int, limit: Int @deprecated(reason: "Use \`first\`.")): [Task!]! }
  type Task { dueOn: String, due: String @deprecated(reason: ${JSON.stringify(reason)}), end: String @deprecated(reason: "Use \`dueOn\`.") }
  enum Priority { HIGH URGENT @deprecated(reason: "Use \`HIGH\`.") }
  input TaskInput { dueOn: String, due: String @deprecated(reason: "Use \`dueOn\`.") }`;

for (const reason of ['Use `dueOn`.', 'Use `Task.dueOn` instead.', 'Use `Query.tasks.first`.', 'No replacement: its value was always null.']) {
  test(`accepts: ${reason}`, () => deepEqual(reported(due(reason)), []));
}

for (const reason of ['', 'Old.', 'Use dueOn.', 'Use `dueAt`.', 'Use `Task.dueAt`.', 'Use `due`.', 'Use `Task.due`.', 'Use `end`.']) {
  test(`rejects: ${reason}`, () => deepEqual(reported(due(reason)), ['Task.due']));
}

test('rejects arguments, values of enums and input fields', () => {
  const sdl = `
    type Query { tasks(limit: Int @deprecated(reason: "Old.")): Priority }
    enum Priority { HIGH URGENT @deprecated }
    input TaskInput { due: String @deprecated(reason: "Old."), dueOn: String }`;
  deepEqual(reported(sdl), ['Query.tasks.limit', 'Priority.URGENT', 'TaskInput.due']);
});
