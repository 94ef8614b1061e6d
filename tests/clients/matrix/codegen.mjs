// Strict settings of graphql-codegen's client preset, for each client that uses it.
import { scalars } from './scalars.mjs';

const strict = {
  scalars,
  strictScalars: true, // A custom scalar without an entry in `scalars` is an error.
  defaultScalarType: 'unknown',
  enumsAsTypes: true,
  useTypeImports: true,
  immutableTypes: true,
};

export default {
  schema: '../../../schema.graphql',
  generates: {
    // Apollo Client adds `__typename` to each selection, and has its own fragment masking.
    'generated/apollo/': {
      documents: 'clients/apollo.ts',
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: { ...strict, nonOptionalTypename: true, skipTypeNameForRoot: true },
    },
    // The types that implement `Node`, `Item` and `CourseItem`, for fragments on these interfaces.
    'generated/apollo/possible-types.ts': {
      plugins: ['fragment-matcher'],
      config: { apolloClientVersion: 3, useExplicitTyping: true },
    },
    'generated/graphql-request/': {
      documents: 'clients/graphql-request.ts',
      preset: 'client',
      config: { ...strict, skipTypename: true },
    },
    // Graphcache adds `__typename` to each selection, and hides it where the document does not select it.
    'generated/graphcache/': {
      documents: 'clients/graphcache.ts',
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: { ...strict, skipTypename: true },
    },
  },
};
