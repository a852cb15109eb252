import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  SystemLogLevel,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type * as environment from '../shared/contract/environment.ts';
import type { FunctionName } from './bundle.ts';

/** Environment variables, by the names that the functions read. */
export type Environment = { readonly [Name in Variable]?: string };

type Variable = (typeof environment)[keyof typeof environment];

export interface TidemarkFunctionProps {
  readonly description: string;
  /** What users of the service see while it fails. Its alarms contain this text. */
  readonly whenItFails: string;
  /** The folder of all bundles, as `bundleFunctions` returns it. */
  readonly bundles: string;
  /** @default 10 seconds */
  readonly timeout?: Duration;
  readonly environment?: Environment;
  /**
   * Whether X-Ray records some of its requests. Use it for the functions of routes, because callers wait for them. For
   * the others the logs are enough: a recorded trace costs as much as five requests.
   *
   * @default false
   */
  readonly isTraced?: boolean;
  /**
   * Whether it throws to refuse a caller, as an authorizer does. Lambda counts that as an error, but it is not a fault. The
   * alarm then uses the function's own metric.
   *
   * @default false
   */
  readonly refusesByErrors?: boolean;
  /**
   * Whether it continues its work by jobs in the queue that invokes it. Lambda takes that for a mistake otherwise, and ends a
   * chain of about 16 such invocations.
   *
   * @default false
   */
  readonly queuesItself?: boolean;
}

/**
 * The settings that all Lambdas share. A function may write its log and its traces, and nothing else. Each construct that
 * it uses (ledger, cache, bus) adds the actions and the environment variables for it.
 */
export class TidemarkFunction extends LambdaFunction {
  readonly whenItFails: string;
  readonly refusesByErrors: boolean;

  constructor(scope: Construct, name: FunctionName, props: TidemarkFunctionProps) {
    const functionName = `${Stack.of(scope).stackName}-${name}`;
    const logGroup = new LogGroup(scope, `${name}-log`, {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // CDK's default role has a managed policy that lets it write to every log group of the account.
    const role = new Role(scope, `${name}-role`, {
      description: `What ${functionName} may do`,
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    });
    logGroup.grantWrite(role);
    if (props.isTraced) {
      Validations.of(role).acknowledge({
        id: 'AwsSolutions-IAM5[Resource::*]',
        reason:
          'X-Ray has no resource ARNs: xray:PutTraceSegments and PutTelemetryRecords can be allowed only for *.',
      });
    }
    super(scope, name, {
      functionName,
      description: props.description,
      code: Code.fromAsset(join(props.bundles, name)),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 256,
      timeout: props.timeout ?? Duration.seconds(10),
      environment: props.environment ?? {},
      tracing: props.isTraced ? Tracing.ACTIVE : Tracing.DISABLED,
      loggingFormat: LoggingFormat.JSON,
      // Below WARN, Lambda writes three lines for each invocation, which cost more than the invocation. It still writes
      // them for an invocation that fails or times out.
      systemLogLevelV2: SystemLogLevel.WARN,
      logGroup,
      role,
      ...(props.queuesItself && { recursiveLoop: RecursiveLoop.ALLOW }),
    });
    this.whenItFails = props.whenItFails;
    this.refusesByErrors = props.refusesByErrors ?? false;
  }

  override addEnvironment(name: Variable, value: string): this {
    return super.addEnvironment(name, value);
  }

  /** Adds exactly these actions on exactly these resources. */
  allow(actions: readonly string[], resource: string): void {
    this.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources: [resource] }));
  }
}
