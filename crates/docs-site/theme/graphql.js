// Highlights GraphQL, which mdBook's highlight.js does not know. The build marks such blocks with the class `graphql`.
hljs.registerLanguage('graphql', (hljs) => ({
  name: 'GraphQL',
  keywords: {
    keyword:
      'query mutation subscription fragment on type input interface union enum scalar schema directive extend implements repeatable',
    literal: 'true false null',
  },
  contains: [
    hljs.HASH_COMMENT_MODE,
    { className: 'string', begin: /"""/, end: /"""/ },
    hljs.QUOTE_STRING_MODE,
    hljs.NUMBER_MODE,
    { className: 'variable', begin: /\$[_A-Za-z]\w*/ },
    { className: 'meta', begin: /@[_A-Za-z]\w*/ },
    { className: 'attr', begin: /[_A-Za-z]\w*(?=\s*:)/ },
  ],
}));

for (const block of document.querySelectorAll('code.graphql')) {
  block.classList.replace('language-plaintext', 'language-graphql');
  hljs.highlightBlock(block);
}
