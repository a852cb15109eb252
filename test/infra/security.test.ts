import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type App, CfnResource, Validations } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { TidemarkStack } from '../../infra/tidemark-stack.ts';
import { contextWithWebhook, inStack, ofType, synthesize } from './synthesized.ts';

type Change = (stack: TidemarkStack) => void;
const unchanged: Change = () => {};

describe('AwsSolutions', () => {
  /** What the pack finds in the stack, as `rule at path`. */
  function findings(change = unchanged): readonly string[] {
    return inStack(contextWithWebhook, {}, (app, stack) => {
      change(stack);
      return new AwsSolutionsChecks()
        .validateScope(app)
        .violations.flatMap(({ ruleName, violatingResources }) =>
          violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
        );
    });
  }

  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('finds nothing that is not acknowledged', () => {
    expect(findings()).toEqual([]);
  });

  test('finds these where nothing is acknowledged, so that no acknowledgement outlives what it was for', () => {
    jest.spyOn(Validations.prototype, 'acknowledge').mockReturnValue();
    expect(findings()).toEqual([
      'AwsSolutions-APIG4 at tidemark-test/Api/Http/GET--v1--health/Resource',
      'AwsSolutions-APIG4 at tidemark-test/Live/WebSockets/$disconnect-Route/Resource',
      'AwsSolutions-APIG4 at tidemark-test/Live/WebSockets/$default-Route/Resource',
      'AwsSolutions-APIG4 at tidemark-test/Live/WebSockets/sync-Route/Resource',
      'AwsSolutions-APIG4 at tidemark-test/Live/WebSockets/mark-Route/Resource',
      'AwsSolutions-APIG4 at tidemark-test/Live/WebSockets/delivered-Route/Resource',
      'AwsSolutions-APIG4 at tidemark-test/Live/WebSockets/unread-Route/Resource',
      'AwsSolutions-APIG4 at tidemark-test/Live/WebSockets/ping-Route/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/mark-read-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/mark-unread-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/mark-delivered-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/mark-groups-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/get-watermark-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/get-message-status-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/get-inbox-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/list-receipts-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/count-receipts-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/add-members-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/list-members-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/remove-member-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/record-message-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/delete-message-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Api/check-health-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Live/authorize-connection-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Live/open-connection-role/DefaultPolicy/Resource',
      'AwsSolutions-IAM5[Resource::*] at tidemark-test/Live/answer-frame-role/DefaultPolicy/Resource',
      'AwsSolutions-SQS3 at tidemark-test/Projection/DeadLetters/Resource',
      'AwsSolutions-SQS3 at tidemark-test/Publication/DeadLetters/Resource',
      'AwsSolutions-SQS3 at tidemark-test/Notify/Subscription/DeadLetters/Resource',
      ...['DELETE', 'POST'].flatMap((method) =>
        [
          ...(method === 'DELETE' ? ['Live/open-connection'] : []),
          ...['Live/answer-frame', 'Notify/notify', 'Notify/push-frames'],
        ].map(
          (name) =>
            'AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:' +
            `<LiveWebSocketsE2BF65F7>/live/${method}/@connections/*] at tidemark-test/${name}-role/DefaultPolicy/Resource`,
        ),
      ),
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs] at tidemark-test/Live/LogRole/Resource',
      'AwsSolutions-SMG4 at tidemark-test/Notify/WebhookSecret/Resource',
    ]);
  });

  test('finds what is added without a thought', () => {
    expect(findings((stack) => new Queue(stack, 'Another'))).toEqual([
      'AwsSolutions-SQS3 at tidemark-test/Another/Resource',
      'AwsSolutions-SQS4 at tidemark-test/Another/Resource',
    ]);
  });
});

describe('the rules of CloudFormation', () => {
  function synth(change = unchanged): void {
    const asErrors = { context: { '@aws-cdk/core:validateAgainstDefaultRules': true } };
    inStack(contextWithWebhook, asErrors, (app: App, stack) => {
      change(stack);
      app.synth();
    });
  }

  test('pass the template', () => {
    expect(() => synth()).not.toThrow();
  });

  test('do not pass a property that does not exist', () => {
    const misspelt = (stack: TidemarkStack) =>
      new CfnResource(stack, 'Misspelt', { type: 'AWS::SQS::Queue', properties: { Name: 'another' } });
    expect(() => synth(misspelt)).toThrow('Misspelt');
  });
});

describe('secrets', () => {
  const template = synthesize(contextWithWebhook);

  test('are the same with and without a webhook, so that turning it off and on again keeps the one that signs', () => {
    const withoutWebhook = synthesize();
    expect(ofType(withoutWebhook, 'AWS::SecretsManager::Secret')).toEqual(
      ofType(template, 'AWS::SecretsManager::Secret'),
    );
    expect(withoutWebhook.Outputs).toEqual(template.Outputs);
    expect(JSON.stringify(ofType(withoutWebhook, 'AWS::IAM::Policy'))).not.toContain('NotifyWebhookSecret');
  });

  test('are made by Secrets Manager, in the alphabet and length that Standard Webhooks signs with', () => {
    expect(ofType(template, 'AWS::SecretsManager::Secret')).toEqual({
      NotifyWebhookSecret: {
        Type: 'AWS::SecretsManager::Secret',
        DeletionPolicy: 'Delete',
        UpdateReplacePolicy: 'Delete',
        Properties: {
          Description: expect.any(String),
          GenerateSecretString: { PasswordLength: 44, ExcludePunctuation: true },
        },
      },
    });
  });

  test('do not appear in the template, nor come into it when it is deployed', () => {
    const text = JSON.stringify(template);
    expect(text).not.toMatch(/\{\{resolve:|"SecretString"|NoEcho|whsec_\w|eyJ|Bearer /);
    expect(template.Outputs).toEqual({
      ApiUrl: { Value: 'ApiHttp.ApiEndpoint' },
      WebSocketUrl: { Value: 'wss://LiveWebSockets.execute-api.AWS::Region.AWS::URLSuffix/live' },
      TableName: { Value: 'LedgerTable' },
      EventBusName: { Value: 'Bus' },
      WebhookSecretArn: { Value: 'NotifyWebhookSecret' },
      AlarmTopicArn: { Value: 'ObservabilityAlarms' },
    });
  });
});
