// The client package is in a folder outside this one.

const { join } = require('node:path');
const { getDefaultConfig } = require('expo/metro-config');

const config = getDefaultConfig(__dirname);
config.watchFolders = [join(__dirname, '../../packages/client')];
// Its imports of graphql and React are those of this app, not of its own development dependencies.
config.resolver.nodeModulesPaths = [join(__dirname, 'node_modules')];
config.resolver.disableHierarchicalLookup = false;
module.exports = config;
