export default {
  schema: '../../../schema.graphql',
  documents: ['codegen/*.ts'],
  silent: true,
  generates: {
    'built/codegen/': { preset: 'client', presetConfig: { persistedDocuments: { hashAlgorithm: 'sha256' } } },
  },
};
