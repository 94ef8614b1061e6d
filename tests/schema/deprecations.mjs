// A rule for ESLint: the reason of each `@deprecated` names what to use instead.

import { isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';

const NONE = /^No replacement[.:]/;

const hasFields = (type) => isObjectType(type) || isInterfaceType(type) || isInputObjectType(type);

/** The element of a schema at a path such as `Task`, `Task.dueOn`, `Query.tasks.first` or `TaskPriority.HIGH`. */
function element(schema, [typeName, name, argument]) {
  const type = schema.getType(typeName);
  if (name === undefined) return type;
  const member = hasFields(type) ? type.getFields()[name] : isEnumType(type) ? type.getValue(name) : undefined;
  return argument === undefined ? member : member?.args?.find((one) => one.name === argument);
}

/** The path of a definition in the schema. */
function pathOf(node) {
  const names = [];
  for (let one = node; one; one = one.parent) if (one.kind?.endsWith('Definition')) names.unshift(one.name.value);
  return names;
}

/** Whether a reason names an element of the schema that is not deprecated: by its path, or by its name if it is in the same type or field. */
function namesReplacement(schema, reason, path) {
  const names = [...reason.matchAll(/`([\w.]+)`/g)].map(([, name]) => name.split('.'));
  return names.some((name) => {
    const found = element(schema, name) ?? element(schema, [...path.slice(0, -1), ...name]);
    return found && found !== element(schema, path) && !found.deprecationReason;
  });
}

export const deprecationNamesReplacement = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      missing:
        '`{{path}}` is deprecated, but its reason does not name a replacement in the schema. Name one in backticks, e.g. "Use `Task.dueOn`.", or start the reason with "No replacement:".',
    },
  },
  create(context) {
    const { schema } = context.sourceCode.parserServices;
    return {
      'Directive[name.value=deprecated]'(node) {
        const path = pathOf(node.parent);
        const reason = node.arguments.find(({ name }) => name.value === 'reason')?.value.value ?? '';
        if (NONE.test(reason) || namesReplacement(schema, reason, path)) return;
        context.report({ node, messageId: 'missing', data: { path: path.join('.') } });
      },
    };
  },
};
