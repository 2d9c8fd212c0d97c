import type { Command } from 'commander';
import { edgeFindings } from '../doctor/edge.js';
import { ANSWER_MS_MAX, type Finding, reportOf, worstFirst } from '../doctor/finding.js';
import { folderFindings, nodeFindings } from '../doctor/machine.js';
import { serverFindings } from '../doctor/server.js';
import { EXIT, Unreachable } from '../failures.js';
import { declare, type Run } from '../program.js';

interface Examined {
  readonly findings: readonly Finding[];
  readonly exit: number;
}

async function examine({ client, settings }: Run): Promise<Examined> {
  const sockets = Object.entries(settings.edgeSockets());
  const edges = await Promise.all(sockets.map(([service, path]) => edgeFindings(service, path)));
  const machine = [...nodeFindings(process.versions.node), ...folderFindings(settings.dataDir)];
  const here = [...machine, ...edges.flat()];
  try {
    const findings = worstFirst([...here, ...(await serverFindings(client.within(ANSWER_MS_MAX)))]);
    const wrong = findings.some(({ level }) => level === 'wrong');
    return { findings, exit: wrong ? EXIT.refused : EXIT.done };
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const { message: detail } = error;
    const next = error.late ? 'look at its log, its disk and its load' : 'npm start';
    const gone: Finding = { level: 'wrong', part: 'server', detail, next };
    return { findings: worstFirst([...here, gone]), exit: EXIT.unreachable };
  }
}

export function doctorCommand(program: Command): void {
  declare<{ json: boolean }>(
    program,
    'doctor',
    {
      summary: 'What is trial-grade, degraded or wrong here, and what to type',
      example: 'doctor',
    },
    (c) => c,
    async (run, { json }) => {
      const { findings, exit } = await examine(run);
      process.exitCode = exit;
      return json ? findings : reportOf(findings);
    },
  );
}
