/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts', '.lua'],
  moduleFileExtensions: ['ts', 'mjs', 'js', 'json', 'lua', 'node'],
  transform: { '\\.(ts|lua)$': '<rootDir>/test/support/transform.mjs' },
  // The code of the pages in docs/ imports the client as an app does.
  moduleNameMapper: { '^tidemark-client/(\\w+)$': '<rootDir>/client/src/$1.ts' },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/cdk.out', '<rootDir>/.tidemark'],
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  maxWorkers: 2,
  // Jest does not stop a test that is over time: it goes on beside the next ones of its file, which then fail, too.
  // So only a test that hangs may reach this.
  testTimeout: 600_000,
};
