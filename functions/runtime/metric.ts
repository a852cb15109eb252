import { variable } from './environment.ts';

/**
 * Counts in a metric of the function's own. CloudWatch reads it from the log, from a line of its own: `console` would wrap
 * it.
 */
export function countMetric(
  name: 'FailedAuthorizations' | 'FailedRecords' | 'LateReminders',
  count: number,
): void {
  const metric = {
    Namespace: 'Tidemark',
    Dimensions: [['FunctionName']],
    Metrics: [{ Name: name, Unit: 'Count' }],
  };
  process.stdout.write(
    `${JSON.stringify({
      _aws: { Timestamp: Date.now(), CloudWatchMetrics: [metric] },
      FunctionName: variable('AWS_LAMBDA_FUNCTION_NAME'),
      [name]: count,
    })}\n`,
  );
}
