import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

export interface ProcessEntry {
  readonly parent: number;
  readonly command: string;
}

export interface ProcessTable {
  /** The parent of this process, as it is now: an orphan gets another one. */
  ownParent(): number;
  /** Null where there is no such process, or nothing can be learned of it. */
  look(pid: number): Promise<ProcessEntry | null>;
}

const CHECK_EVERY_MS = 1_000;

/**
 * Calls `gone` once the npm that runs this script has ended. npm does not pass every signal on to what it runs, and none
 * when it is killed, so that the script would stay behind without it.
 */
export async function onceNpmIsGone(script: string, gone: () => void): Promise<void> {
  const npm = await findNpm(script, process.env, thisMachine);
  if (!npm) return;
  const timer = setInterval(async () => {
    if (!(await npm.isGone())) return;
    clearInterval(timer);
    gone();
  }, CHECK_EVERY_MS).unref();
}

/**
 * The npm, or another runner of scripts that sets the same variables, that runs a script in this process. Null where
 * something else started it: a shell that started it in the background may end, and the script goes on.
 */
export async function findNpm(
  script: string,
  environment: NodeJS.ProcessEnv,
  processes: ProcessTable,
): Promise<{ isGone(): Promise<boolean> } | null> {
  const line = environment.npm_lifecycle_script;
  // The variables are inherited by all that npm runs: only this line says that it ran this script itself.
  if (!line?.includes(script)) return null;
  const parent = processes.ownParent();
  // Some shells replace themselves with the command, and then npm is the parent. Others stay in between.
  const entry = await processes.look(parent);
  const npmOfShell = entry?.command.includes(line) ? entry.parent : null;
  return {
    async isGone() {
      if (processes.ownParent() !== parent) return true;
      if (npmOfShell === null) return false;
      const shell = await processes.look(parent);
      return shell !== null && shell.parent !== npmOfShell;
    },
  };
}

const thisMachine: ProcessTable = {
  ownParent: () => process.ppid,
  async look(pid) {
    return lookInProc(pid) ?? (await askPs(pid));
  },
};

/** Linux shows its processes as files. */
function lookInProc(pid: number): ProcessEntry | null {
  try {
    // The parent is the second field after the command's name, which stands in parentheses and may hold some itself.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return { parent: Number(parent), command };
  } catch {
    return null;
  }
}

async function askPs(pid: number): Promise<ProcessEntry | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'ppid=,args=', '-p', String(pid)]);
    const [, parent, command] = /^\s*(\d+)\s+(.*)$/m.exec(stdout) ?? [];
    return command === undefined ? null : { parent: Number(parent), command };
  } catch {
    return null;
  }
}
