import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessMemory {
  readonly pid: number;
  readonly command: string;
  readonly rssMb: number;
  /** Memory that processes share is divided among them. Null if the system does not report it. */
  readonly pssMb: number | null;
}

/** A process and all its descendants: engines and the shells that guard them. Null if there is no /proc. */
export function readProcessTree(rootPid: number): readonly ProcessMemory[] | null {
  const parents = readParents();
  if (!parents) return null;
  const tree = [rootPid];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  }
  return tree.flatMap((pid) => readMemory(pid) ?? []);
}

function readParents(): Map<number, number> | null {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return new Map(
      pids.flatMap((pid): [number, number][] => {
        const parent = kilobytesOrId(readOrNull(`/proc/${pid}/status`), 'PPid');
        return parent === null ? [] : [[Number(pid), parent]];
      }),
    );
  } catch {
    return null;
  }
}

/** Null if the process has ended meanwhile. */
function readMemory(pid: number): ProcessMemory | null {
  const rss = kilobytesOrId(readOrNull(`/proc/${pid}/status`), 'VmRSS');
  if (rss === null) return null;
  const pss = kilobytesOrId(readOrNull(`/proc/${pid}/smaps_rollup`), 'Pss');
  const command = (readOrNull(`/proc/${pid}/comm`) ?? '').trim();
  return { pid, command, rssMb: rss / 1024, pssMb: pss === null ? null : pss / 1024 };
}

function kilobytesOrId(text: string | null, name: string): number | null {
  const value = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text ?? '')?.[1];
  return value === undefined ? null : Number(value);
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
