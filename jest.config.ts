import { readFileSync } from 'node:fs';
import type { Config } from 'jest';

const swcrc = JSON.parse(readFileSync('./.swcrc', 'utf8'));
const config: Config = {
  rootDir: '.',
  testEnvironment: 'node',
  testMatch: ['<rootDir>/{apps,libs,projections,demo,test}/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json', 'node'],
  moduleNameMapper: {
    '^@kcm/(.+)$': '<rootDir>/libs/$1/index.ts',
    '^@projections/(.+)$': '<rootDir>/projections/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        ...swcrc,
        swcrc: false,
        $schema: undefined,
        sourceMaps: 'inline',
        jsc: { ...swcrc.jsc, baseUrl: undefined, paths: undefined },
        module: { type: 'es6' },
      },
    ],
  },
  transformIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  setupFiles: ['reflect-metadata'],
  workerIdleMemoryLimit: '1GB',
  maxWorkers: 2,
  // A guard against a hang, not a measure: two cores may be busy with other things.
  testTimeout: 30_000,
};
export default config;
