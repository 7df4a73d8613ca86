"""Further processes in running containers, in memory."""

from __future__ import annotations

from composer.engine.errors import Conflict, InvalidArgument, NotFound
from composer.engine.memory.process import MemoryProcess
from composer.engine.memory.world import ExecRecord, Record, World
from composer.engine.model import Exec, ExecConfig, ExecProcess, Stream


class MemoryExecs:
    """The exec half of interface.Containers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self, record: Record, config: ExecConfig) -> str:
        if not config.cmd:
            raise InvalidArgument("No exec command specified")
        process = ExecProcess(
            tty=config.tty, entrypoint=config.cmd[0], arguments=config.cmd[1:], privileged=config.privileged, user=config.user
        )
        row = Exec(
            id=self._world.next_id("exec"),
            container_id=record.id,
            open_stdin=config.attach_stdin,
            open_stdout=config.attach_stdout,
            open_stderr=config.attach_stderr,
            process_config=process,
        )
        env = (*record.container.config.env, *config.env)
        self._world.execs[row.id] = ExecRecord(row, record.id, config.cmd, env, config.tty, config.attach_stdin)
        record.container = record.container.replace(exec_ids=(*record.container.exec_ids, row.id))
        self._world.tell(record, f"exec_create: {' '.join(config.cmd)}", execID=row.id)
        return row.id

    def find(self, exec_id: str) -> ExecRecord:
        if exec_id not in self._world.execs:
            raise NotFound(f"No such exec instance: {exec_id}")
        return self._world.execs[exec_id]

    def start(self, exec_id: str, *, detach: bool) -> Stream | None:
        row = self.find(exec_id)
        if row.process is not None:
            raise Conflict(f"Error: Exec command {exec_id} has already run")
        record = self._world.containers[row.container_id]

        def ended(code: int) -> None:
            row.exec = row.exec.replace(running=False, exit_code=code, pid=0)
            if not record.removed:
                left = tuple(one for one in record.container.exec_ids if one != exec_id)
                record.container = record.container.replace(exec_ids=left)
                self._world.tell(record, "exec_die", execID=exec_id, exitCode=str(code))

        row.process = MemoryProcess(row.argv, row.env, tty=row.tty, stdin=row.stdin, wrote=lambda stream, data: None, ended=ended)
        row.exec = row.exec.replace(running=True, pid=2000 + len(self._world.execs))
        self._world.tell(record, f"exec_start: {' '.join(row.argv)}", execID=exec_id)
        stream = None if detach else row.process.attach(stdin=row.stdin)
        if row.argv[0] in self._world.missing_commands:
            row.process.write(f'OCI runtime exec failed: exec: "{row.argv[0]}": executable file not found in $PATH: unknown\r\n'.encode())
            row.process.end(127)
        else:
            row.process.run(self._world.program)
        return stream
