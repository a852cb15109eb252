import { expect, test } from '@jest/globals';
import type { Template } from '../../../local/aws/cloudformation/template.ts';
import { EventBus, type EventBusOptions } from '../../../local/aws/events/event-bus.ts';

test('a rule on a bus that does not exist stops the start', () => {
  const template: Template = {
    stackName: 'a-stack',
    resources: [
      { logicalId: 'Bus', type: 'AWS::Events::EventBus', properties: { Name: 'the-bus' } },
      {
        logicalId: 'Rule',
        type: 'AWS::Events::Rule',
        properties: { EventBusName: 'the-bsu', EventPattern: {}, State: 'ENABLED', Targets: [] },
      },
    ],
    identityOf: (logicalId) => ({ ref: logicalId, attributes: {} }),
    assetDirectory: () => undefined,
  };
  expect(() => new EventBus(template, {} as EventBusOptions)).toThrow('Rule: there is no event bus the-bsu');
});
