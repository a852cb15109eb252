/** A table in plain text: the first column is aligned left, the numbers in the others right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  return lines
    .map((cells) =>
      widths
        .map((width, column) =>
          column === 0 ? (cells[column] ?? '').padEnd(width) : (cells[column] ?? '').padStart(width),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Three digits, because measurements are not more exact. */
export function digits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** The text that shows whether a value is within its aim. */
export function verdict(value: number, limit: number): string {
  return value <= limit ? 'met' : 'missed';
}
