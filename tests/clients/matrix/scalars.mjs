// The TypeScript type of each custom scalar in responses and in variables. All are strings in JSON, except `JSONObject`.
export const scalars = {
  Date: 'string',
  DateTime: 'string',
  ID: 'string', // By default, variables may also be numbers.
  JSONObject: 'Record<string, unknown>',
  URL: 'string',
};
