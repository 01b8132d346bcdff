"""The process itself: stopped and continued, out of file descriptors, killed in a loop."""

import os
import resource
import signal
import socket
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil

from tests.faults.load import Journal, Load, check, repeat_unanswered
from tests.integration.server import RunningServer, Tenant, call, running

BACK_S = 5.0
ABORTED = 300


def comes_back(tenant: Tenant) -> bool:
    deadline = time.monotonic() + BACK_S
    while time.monotonic() < deadline:
        with suppress(Exception):
            if tenant.post(call()).status_code == 200:
                return True
        time.sleep(0.05)
    return False


def test_stopped_for_a_while_and_continued(tmp_path: Path) -> None:
    with running(tmp_path) as server, closing(Journal(tmp_path / "journal")) as journal:
        tenant = server.tenant()
        tenant.log()
        with Load(other := server.tenant(), journal):
            time.sleep(0.2)
            os.kill(server.pid, signal.SIGSTOP)
            time.sleep(3.0)
            os.kill(server.pid, signal.SIGCONT)
            time.sleep(0.5)
        assert comes_back(tenant)
        repeat_unanswered(server, other, journal)
        assert check(server, other, journal) == journal.ids("sent")


def test_out_of_file_descriptors(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        tenant = server.tenant()
        tenant.log()
        process = psutil.Process(server.pid)
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        few = process.num_fds() + 10
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (few, before[1]))
        connections = [socket.create_connection(server.address) for _ in range(30)]
        time.sleep(0.5)
        busy = process.cpu_times()
        time.sleep(1.0)
        spent = sum(process.cpu_times()[:2]) - sum(busy[:2])
        assert spent < 0.8  # it waits, and does not spin
        for connection in connections:
            connection.close()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
        assert comes_back(tenant)


def test_requests_that_are_given_up_leave_nothing_behind(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        tenant = server.tenant()
        tenant.log()
        process = psutil.Process(server.pid)
        fds, threads = process.num_fds(), process.num_threads()
        body = b'{"provider":"openai","model":"gpt-4.1","input_tokens":1,"output_tokens":1}'
        head = (
            f"POST /api/v1/log HTTP/1.1\r\nHost: test\r\nX-API-Key: {tenant.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        for number in range(ABORTED):
            with socket.create_connection(server.address) as connection:
                request = head + body
                connection.sendall(request[: number % len(request) + 1])
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        deadline = time.monotonic() + BACK_S
        while process.num_fds() > fds + 5 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.num_fds() <= fds + 5
        assert process.num_threads() <= threads + 5
        assert tenant.post(call()).status_code == 200


def test_killed_again_and_again(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal")) as journal:
        server = RunningServer(tmp_path)
        server.launch()
        server.wait_until_ready()
        tenant = server.tenant()
        for _ in range(5):
            with Load(Tenant(server, tenant.key), journal):
                time.sleep(0.3)
                server.kill()
            server = RunningServer(tmp_path)
            server.launch()
            server.wait_until_ready()
        there = Tenant(server, tenant.key)
        repeat_unanswered(server, there, journal)
        assert check(server, there, journal) == journal.ids("sent")
        server.stop()
