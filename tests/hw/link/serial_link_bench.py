"""SerialLink as a host sees it: what requests do, which are refused, and what becomes of a bad line."""

from __future__ import annotations

import zlib

import cocotb
from cocotb.triggers import ClockCycles

from hw.memory.axi import Response
from models.machine.link import (
    BUS_MILLISECONDS,
    GREETING,
    LINK_VERSION,
    MOST_DATA,
    OPERATIONS,
    REGISTER_SPACE,
    REPEATS,
    Greeting,
    LinkStatus,
    Operation,
)
from models.machine.registers import register
from sim.testbench import generator, parameters, start
from tests.hw.link.buses import MemoryBus, RegisterBus
from tests.hw.link.frames import Answer, framed, request
from tests.hw.link.line import Line

OK = LinkStatus.OK
SESSION = 0x7D7E
STATUS = register("STATUS").offset


class Board:
    """A link out of reset, between a line and its buses, all of which stop when the block ends."""

    def __init__(self, dut, *, latency: int = 3) -> None:
        given = parameters()
        self.dut, self.size, self.millisecond = dut, given["memory_bytes"], given["millisecond"]
        self.bit_cycles, self._latency = given["bit_cycles"], latency

    async def __aenter__(self) -> Board:
        self.dut.irq.value, self.dut.memory_ready.value = 0, 1
        self.line = Line(self.dut, self.bit_cycles)
        self.registers = RegisterBus(self.dut, latency=self._latency)
        self.memory = MemoryBus(self.dut, bytearray(generator("memory").randbytes(self.size)), latency=self._latency)
        await start(self.dut)
        return self

    async def __aexit__(self, *_) -> None:
        for part in (self.line, self.registers, self.memory):
            part.stop()

    async def hello(self, sequence: int = 0, session: int = SESSION) -> Greeting:
        answer, = await self.line.ask(request(sequence, Operation.HELLO, session))
        assert answer[:3] == (sequence, Operation.HELLO, session) and answer[4:] == ((sequence + 1) % 256, OK)
        return Greeting(*GREETING.unpack(answer.data))

    async def ask(self, sequence: int, operation: Operation, address: int = 0, size: int = 0, data: bytes = b"",
                  *, session: int = SESSION, cycles: int = 100_000) -> Answer:
        answer, = await self.line.ask(request(sequence, operation, session, address, size, data), cycles=cycles)
        assert answer[:2] == (sequence, operation)
        return answer

    async def status(self, *given, **more) -> LinkStatus:
        """Of an answer without data."""
        answer = await self.ask(*given, **more)
        assert answer.data == b""
        return answer.status


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


@cocotb.test()
async def each_operation_does_what_the_page_says(dut):
    async with Board(dut) as board:
        expected = Greeting(LINK_VERSION, MOST_DATA, board.size, board.millisecond, 0, 0)
        assert await board.hello(255) == expected

        assert await board.status(0, Operation.WRITE_REGISTERS, 8, 12, words(1, 2**32 - 1, 0x7D7E7F80)) == OK
        assert board.registers.writes == [(8, 1), (12, 2**32 - 1), (16, 0x7D7E7F80)]
        answer = await board.ask(1, Operation.READ_REGISTERS, 4, 16)
        assert answer == (1, Operation.READ_REGISTERS, SESSION, words(4, 1, 2**32 - 1, 0x7D7E7F80), 2, OK)
        answer = await board.ask(2, Operation.READ_REGISTERS, REGISTER_SPACE - 4, 4)
        assert answer.data == words(REGISTER_SPACE - 4)

        image, memory = bytearray(board.memory.memory), board.memory.memory
        data = generator("data").randbytes(MOST_DATA)
        image[board.size - MOST_DATA:] = data
        assert await board.status(3, Operation.WRITE_MEMORY, board.size - MOST_DATA, MOST_DATA, data) == OK
        assert memory == image
        answer = await board.ask(4, Operation.READ_MEMORY, board.size - MOST_DATA, MOST_DATA)
        assert answer.data == data
        answer = await board.ask(5, Operation.READ_MEMORY, 0, 16)
        assert answer.data == image[:16]

        answer = await board.ask(6, Operation.CHECK_MEMORY, 16, board.size - 16)
        assert answer.data == words(zlib.crc32(image[16:]))
        image[32:160] = 8 * data[:16]
        assert await board.status(7, Operation.FILL_MEMORY, 32, 128, data[:16]) == OK
        assert memory == image
        answer = await board.ask(8, Operation.CHECK_MEMORY, 32, 16)
        assert answer == (8, Operation.CHECK_MEMORY, SESSION, words(zlib.crc32(data[:16])), 9, OK)
        assert await board.hello(9, session=1) == expected


@cocotb.test()
async def a_reset_reaches_the_core_alone(dut):
    async with Board(dut) as board:
        await board.hello()
        high = 0

        async def count():
            nonlocal high
            while True:
                await ClockCycles(dut.clk, 1)
                high += int(dut.reset_core.value)

        counting = cocotb.start_soon(count())
        assert await board.status(1, Operation.RESET) == OK
        assert await board.status(1, Operation.RESET) == OK  # a repeat
        assert (await board.ask(2, Operation.READ_REGISTERS, 0, 4)).status == OK
        counting.cancel()
        assert high == 64


@cocotb.test()
async def a_malformed_request_is_refused_and_touches_nothing(dut):
    bad_length, bad_address = LinkStatus.BAD_LENGTH, LinkStatus.BAD_ADDRESS
    async with Board(dut) as board:
        await board.hello()
        size = board.size
        cases = [(operation, 0, 16, bytes(16), LinkStatus.BAD_OPERATION) for operation in (9, 16, 64, 127)]
        for operation, rules in OPERATIONS.items():
            def case(address, length, status, *, more=b"", operation=operation, rules=rules):
                data = bytes(min(length, 64) if rules.data is None else rules.data) + more
                cases.append((operation, address, length, data, status))

            case(0, rules.unit, bad_length, more=b"x")
            if rules.data is None or rules.data:
                cases.append((operation, 0, 16, bytes(15), bad_length))
                cases.append((operation, 0, 16, b"", bad_length))
            if not rules.space:
                continue
            end = size if rules.space == "memory" else REGISTER_SPACE
            case(0, 0, bad_length)
            case(0, rules.unit + 1, bad_length)
            case(0, rules.unit + rules.unit // 2, bad_length)
            case(1, rules.unit + 1, bad_length)
            if rules.most:
                case(0, rules.most + rules.unit, bad_length)
                case(0, 1 << 31, bad_length)
            else:
                case(0, end + rules.unit, bad_address)
                case(rules.unit, (1 << 32) - rules.unit, bad_address)
            case(1, rules.unit, bad_address)
            case(rules.unit // 2, rules.unit, bad_address)
            case(end, rules.unit, bad_address)
            case(end - rules.unit, 2 * rules.unit, bad_address)
            case((1 << 32) - rules.unit, rules.unit, bad_address)
            case(1 << 31, rules.unit, bad_address)
        image = bytes(board.memory.memory)
        for n, (operation, address, length, data, status) in enumerate(cases):
            # whatever their sequence and session: the form is looked at first
            sequence, session = (1, SESSION) if n % 2 else (77, 5)
            answer = await board.ask(sequence, operation, address, length, data, session=session)
            found = answer.data, answer.expected, answer.status
            assert found == (b"", 1, status), (operation, address, length, len(data), answer)
        assert len(cases) > 60
        assert board.memory.memory == image and not board.memory.writes and not board.registers.writes
        assert await board.status(1, Operation.WRITE_REGISTERS, 0, 4, words(1)) == OK


@cocotb.test()
async def writes_are_executed_once_and_reads_only_while_nothing_changes(dut):
    async with Board(dut, latency=0) as board:
        assert await board.status(0, Operation.READ_REGISTERS, 0, 4, session=0) == LinkStatus.NOT_GREETED
        await board.hello(254)

        async def write(*sequences: int) -> list[LinkStatus]:
            answers = await board.line.ask(*(
                request(n % 256, Operation.WRITE_REGISTERS, SESSION, 0, 4, words(n)) for n in sequences))
            assert [answer.sequence for answer in answers] == [n % 256 for n in sequences]
            return [answer.status for answer in answers]

        async def read(*sequences: int) -> list[LinkStatus]:
            answers = await board.line.ask(*(
                request(n % 256, Operation.READ_REGISTERS, SESSION, 0, 4) for n in sequences))
            data = words(board.registers.writes[-1][1])
            assert all(answer.data == (data if answer.status == OK else b"") for answer in answers)
            return [answer.status for answer in answers]

        out_of_order, too_late = LinkStatus.OUT_OF_ORDER, LinkStatus.TOO_LATE
        assert await write(254, 253, 256, 0) == [out_of_order] * 4  # HELLO's own, and others
        assert await write(255, 255, 256, 255, 256) == [OK] * 5
        assert [value for _, value in board.registers.writes] == [255, 256]
        assert await read(257, 258, 257, 258, 259, 257) == [OK] * 6
        assert await write(260) == [OK]
        assert await read(257, 259) == [too_late] * 2
        assert await write(260, 255) == [OK] * 2
        assert await read(261, 259, 261) == [OK, too_late, OK]
        end = 261 + REPEATS + 4
        assert set(await write(*range(262, end))) == {OK}
        count = len(board.registers.writes)
        assert await write(end - REPEATS - 1, end - REPEATS, end - 1, end + 1) == [out_of_order, OK, OK, out_of_order]
        assert len(board.registers.writes) == count

        # many reads: those of the last 64 are repeated
        assert set(await read(*range(end, end + REPEATS + 2))) == {OK}
        assert await read(end + 1, end + 2, end + REPEATS + 1, end) == [out_of_order, OK, OK, out_of_order]


@cocotb.test()
async def a_session_ends_with_another_one_and_with_a_reset(dut):
    not_greeted = LinkStatus.NOT_GREETED
    async with Board(dut, latency=0) as board:
        async def write(sequence: int, session: int) -> tuple[LinkStatus, int, int]:
            answer = await board.ask(sequence, Operation.WRITE_REGISTERS, 0, 4, words(sequence), session=session)
            return answer.status, answer.session, answer.expected

        assert await write(0, 0) == (not_greeted, 0, 0)
        await board.hello(0, 1)
        assert await write(1, 2) == (not_greeted, 1, 1)
        assert await write(1, 1) == (OK, 1, 2)
        # a HELLO of the same session, late or doubled, changes nothing
        answer = await board.ask(0, Operation.HELLO, session=1)
        assert (answer.session, answer.expected, answer.status) == (1, 2, OK)
        assert await write(1, 1) == (OK, 1, 2)
        await board.hello(1, 2)
        assert await write(2, 1) == (not_greeted, 2, 2)
        assert await write(1, 2) == (LinkStatus.OUT_OF_ORDER, 2, 2)
        assert board.registers.writes == [(0, 1)]
        await board.hello(7, 0)  # nobody's
        assert await write(8, 0) == (not_greeted, 0, 8)
        await board.hello(7, 3)
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        assert await write(8, 3) == (not_greeted, 0, 0)
        assert board.registers.writes == [(0, 1)]


@cocotb.test()
async def an_error_on_a_bus_is_told_and_not_taken_for_executed(dut):
    bus_error = LinkStatus.BUS_ERROR
    async with Board(dut) as board:
        await board.hello()
        memory, line = board.memory, board.line
        assert await board.status(1, Operation.WRITE_MEMORY, 0, 32, bytes(32)) == OK
        memory.refused = {48}
        answer = await board.ask(2, Operation.READ_MEMORY, 16, 64)
        assert answer[3:] == (memory.memory[16:48], 2, bus_error)
        assert await board.status(2, Operation.CHECK_MEMORY, 0, 64) == bus_error
        answer = await board.ask(2, Operation.READ_MEMORY, 0, 16)
        assert answer[3:] == (bytes(16), 3, OK)
        before = bytes(memory.memory)
        assert await board.status(3, Operation.WRITE_MEMORY, 32, 48, bytes(48)) == bus_error
        assert memory.memory == before[:32] + bytes(16) + before[48:]
        assert await board.status(2, Operation.READ_MEMORY, 0, 16) == LinkStatus.TOO_LATE
        assert await board.status(3, Operation.FILL_MEMORY, 32, 48, bytes(16)) == bus_error
        memory.refused = set()
        assert await board.status(3, Operation.WRITE_MEMORY, 32, 48, bytes(48)) == OK
        assert memory.memory == bytes(80) + before[80:]

        for response in (Response.SLVERR, Response.DECERR):
            board.registers.response = response
            assert await board.status(4, Operation.WRITE_REGISTERS, 0, 8, bytes(8)) == bus_error
            assert await board.status(4, Operation.READ_REGISTERS, 0, 8) == bus_error
            assert await board.status(4, Operation.WAIT) == bus_error
        board.registers.response = Response.OKAY
        assert board.registers.writes == []
        assert await board.status(4, Operation.WRITE_REGISTERS, 0, 8, words(5, 6)) == OK
        assert board.registers.writes == [(0, 5), (4, 6)] and line.more() == []


@cocotb.test()
async def a_bus_that_does_not_answer_ends_the_request(dut):
    bus_error = LinkStatus.BUS_ERROR
    async with Board(dut) as board:
        await board.hello()
        patience = (BUS_MILLISECONDS + 2) * board.millisecond + int(1000 * board.bit_cycles)
        for bus, read, write, unit in (
                (board.memory, Operation.READ_MEMORY, Operation.WRITE_MEMORY, 16),
                (board.registers, Operation.READ_REGISTERS, Operation.WRITE_REGISTERS, 4)):
            sequence = 1 if unit == 16 else 4
            for way in ("mute", "silent"):
                for operation, data in ((read, b""), (write, bytes(unit))):
                    setattr(bus, way, True)
                    assert await board.status(sequence, operation, 0, unit, data, cycles=patience) == bus_error
                    # the access is still under way, whose data must not change: others wait for its end
                    other = b"" if data else bytes(range(unit))
                    assert await board.status(sequence, write if other else read, unit, unit, other,
                                              cycles=patience) == bus_error
                    setattr(bus, way, False)
                    await ClockCycles(dut.clk, 200)
            before = bytes(board.memory.memory[unit:2 * unit])
            answer = await board.ask(sequence, read, 0, 2 * unit)
            # all writes to 0 came late, none of those to the unit behind it was begun
            assert answer[3:] == (bytes(unit) + (before if unit == 16 else words(4)), sequence + 1, OK)
            assert await board.status(sequence + 1, write, unit, unit, bytes(unit)) == OK
            answer = await board.ask(sequence + 2, read, 0, 2 * unit)
            assert answer[3:] == (bytes(2 * unit), sequence + 3, OK)
        dut.memory_ready.value = 0
        assert await board.status(7, Operation.READ_MEMORY, 0, 16, cycles=patience) == bus_error
        asking = cocotb.start_soon(board.ask(7, Operation.READ_MEMORY, 0, 16))
        await ClockCycles(dut.clk, 4 * board.millisecond)
        dut.memory_ready.value = 1
        assert (await asking).status == OK


@cocotb.test()
async def a_wait_ends_with_the_interrupt_its_time_or_another_frame(dut):
    async with Board(dut) as board:
        await board.hello()
        board.registers.values[STATUS] = 0x0202

        async def wait(sequence: int, milliseconds: int, *, size: int = 4) -> int:
            """Cycles that it took, without those of the line."""
            begun = cocotb.utils.get_sim_time("step")
            answer = await board.ask(sequence, Operation.WAIT, 0xFFFF_FFFF, milliseconds)
            assert answer.data == words(board.registers.values[STATUS]) and answer.status == OK
            return (cocotb.utils.get_sim_time("step") - begun) // 2

        line_time = await wait(1, 0)
        for milliseconds in (1, 5):
            took = await wait(2, milliseconds) - line_time
            assert (milliseconds - 1.2) * board.millisecond < took < (milliseconds + 0.2) * board.millisecond
        dut.irq.value = 1
        assert await wait(3, 2**32 - 1) < line_time + 100
        dut.irq.value = 0

        waiting = cocotb.start_soon(wait(4, 2**32 - 1))
        await ClockCycles(dut.clk, 12 * board.millisecond)
        assert not waiting.done()
        dut.irq.value = 1
        assert 12 * board.millisecond < await waiting < 12 * board.millisecond + line_time
        dut.irq.value = 0

        await board.line.send(framed(request(5, Operation.WAIT, SESSION, 0, 2**32 - 1)))
        damaged = bytearray(framed(request(0, Operation.HELLO, 9)))
        damaged[3] ^= 1
        await board.line.send(bytes(damaged))
        await ClockCycles(dut.clk, 2 * board.millisecond)
        assert not board.line.more()
        await board.line.send(framed(request(0, Operation.HELLO, 9)))
        first, second = await board.line.answers(2)
        assert (first.sequence, first.operation, first.status) == (5, Operation.WAIT, OK)
        assert second[:3] == (0, Operation.HELLO, 9)


@cocotb.test()
async def a_frame_without_a_buffer_is_dropped_and_counted(dut):
    async with Board(dut, latency=0) as board:
        await board.hello()
        board.memory.silent = True
        sent = [request(n, Operation.WRITE_MEMORY, SESSION, 16 * n, 16, bytes([n] * 16)) for n in range(1, 7)]
        before = bytes(board.memory.memory)
        await board.line.send(b"".join(map(framed, sent[:4])))  # one under way, one waits, two are dropped
        # begun while there is no place, ended when there is
        last = framed(sent[4])
        await board.line.send(last[:10])
        board.memory.silent = False
        await board.line.send(last[10:])
        answers = await board.line.answers(2)
        assert [(answer.sequence, answer.expected, answer.status) for answer in answers] == [(1, 2, OK), (2, 3, OK)]
        answer, = await board.line.ask(sent[5])
        assert (answer.expected, answer.status) == (3, LinkStatus.OUT_OF_ORDER)
        assert board.memory.memory == before[:16] + bytes([1] * 16 + [2] * 16) + before[48:]
        answers = await board.line.ask(*sent[2:5])
        assert [(answer.expected, answer.status) for answer in answers] == [(4, OK), (5, OK), (6, OK)]
        answer = await board.ask(0, Operation.HELLO)
        assert GREETING.unpack(answer.data)[4:] == (0, 3)


@cocotb.test()
async def a_good_frame_behind_anything_is_answered(dut):
    async with Board(dut, latency=0) as board:
        await board.hello()
        random, damaged = generator("garbage"), 0
        for junk in (random.randbytes(1500).replace(b"\x7e", b"\x7f"), bytes(30), b"\x7e\x7d", b"\x7d", b"\xff" * 50,
                     framed(bytes(MOST_DATA + 13)), framed(bytes(11)), framed(b"")):
            await board.line.send(junk)
            answer = await board.ask(1, Operation.READ_REGISTERS, 0, 4)
            assert answer.data == words(0)
            damaged += 1
        # no line at all: low for a hundred bits, then spikes
        dut.rx.value = 0
        await ClockCycles(dut.clk, int(100 * board.bit_cycles))
        for _ in range(20):
            dut.rx.value = 1
            await ClockCycles(dut.clk, random.randint(board.bit_cycles, 3 * board.bit_cycles))
            dut.rx.value = 0
            await ClockCycles(dut.clk, 1)
        dut.rx.value = 1
        await ClockCycles(dut.clk, int(12 * board.bit_cycles))
        answer = await board.ask(1, Operation.READ_REGISTERS, 0, 4)
        assert answer.data == words(0)
        damaged += 1
        await board.line.send(framed(request(2, Operation.RESET, SESSION)), broken=[5])
        damaged += 1
        answer = await board.ask(0, Operation.HELLO)
        assert GREETING.unpack(answer.data)[4:] == (damaged, 0)


@cocotb.test()
async def a_line_that_is_off_by_two_in_a_hundred_is_understood(dut):
    async with Board(dut, latency=0) as board:
        await board.hello()
        data = bytes(range(256))
        for n, rate in enumerate((0.98, 1.02, 0.99, 1.01), 1):
            await board.line.send(framed(request(n, Operation.WRITE_MEMORY, SESSION, 0, 256, data)), rate=rate)
            answer, = await board.line.answers(1)
            assert answer.status == OK and board.memory.memory[:256] == data
            data = data[::-1]


@cocotb.test()
async def a_line_that_loses_doubles_and_flips_ends_in_what_was_asked(dut):
    """A host that repeats until it is answered: each write once, in order."""
    async with Board(dut) as board:
        given, random = parameters(), generator("damage")
        await board.hello()
        image, writes, spoilt = bytearray(board.memory.memory), [], 0

        def damage(line: bytes) -> bytes:
            nonlocal spoilt
            result = bytearray()
            for byte in line:
                way = random.random() * 90
                result += bytes([] if way < 0.5 else [byte, byte] if way < 1 else
                                [byte ^ 1 << random.randrange(8)] if way < 1.5 else [byte])
            spoilt += result != line
            return bytes(result)

        for n in range(1, given["requests"] + 1):
            size = 16 * random.randint(1, 3)
            at, data = 16 * random.randrange((board.size - size) // 16 + 1), random.randbytes(size)
            operation = random.choice((Operation.WRITE_REGISTERS, Operation.WRITE_MEMORY, Operation.READ_MEMORY))
            if operation == Operation.WRITE_REGISTERS:
                at, size, data = 4 * n, 4, words(n)
                writes.append((at, n))
            elif operation == Operation.WRITE_MEMORY:
                image[at:at + size] = data
            else:
                data = b""
            body = request(n, operation, SESSION, at, size, data)
            for _ in range(50):
                board.line.more()
                await board.line.send(damage(framed(body)))
                longest = 24 + 2 * size * (operation == Operation.READ_MEMORY)  # of answers, in bytes
                await ClockCycles(dut.clk, int(10 * longest * board.bit_cycles) + 20 * size)
                # of the answers, too, some are lost
                found = [answer for answer in board.line.more() if answer.sequence == n and random.random() < 0.7]
                if found:
                    break
            assert found[0].status == OK and found[0].expected == n + 1
            assert found[0].data == (image[at:at + size] if operation == Operation.READ_MEMORY else b"")
        assert spoilt > given["requests"] / 4
        assert board.memory.memory == image and board.registers.writes == writes
