"""haft in GDB: what a handle is, in a running program or in a core file.

    haft handle 0x2f4b...     its parts, whether it is live, its type, its places in the source, its value
    haft handle EXPRESSION    the same for a variable
    haft live [COUNT]         live handles, and values that are removed and still held

and `print` shows a `haft::Handle` or `haft::AnyHandle` with what is behind it. haft's Rust library carries this file in the section
`.debug_gdb_scripts`; where GDB is not allowed to load it from there, `source haft_gdb.py` does it.

It reads haft's own tables by the debug info of the crate, and changes and calls nothing.
"""

import re
import struct

import gdb
import gdb.printing

# The bits of a handle, as in `src/raw/bits.rs`. A test compares them.
SLOT_BITS = 12
PLACE_BITS = 20
GENERATION_BITS = 30
GENERATION_SHIFT = 1 + SLOT_BITS + PLACE_BITS

# The state word of a slot, as in `src/raw/slot.rs`: the generation, a bit for each phase but the vacant one,
# and holds on top.
LIVE = 1 << 31
CLOSED = 1 << 63
RESERVED = 1 << 62
HOLDS_SHIFT = 32

NO_DEBUG_INFO = (
    "haft's tables are not known: the program has no full debug info for the crate haft. Build it with\n"
    "    [profile.release.package.haft]\n"
    "    debug = 2\n"
    "in Cargo.toml (the dev profile has it)."
)


class Rust:
    """Expressions and values in Rust's way, whatever language the program is stopped in."""

    def __enter__(self):
        self.before = gdb.parameter("language")
        gdb.execute("set language rust", to_string=True)

    def __exit__(self, *_):
        gdb.execute("set language " + self.before, to_string=True)


def scalar(value):
    """The number or pointer within atomics, `NonNull` and other wrappers."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        value = value[next(field for field in value.type.fields() if field.type.sizeof)]
    return int(value)


def offset(kind, name):
    """Bytes from the start of a struct to a field."""
    return next(field for field in kind.fields() if field.name == name).bitpos // 8


def has_field(kind, name):
    return any(field.name == name for field in kind.fields())


def static(name):
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is None:
        raise gdb.GdbError(NO_DEBUG_INFO)
    return symbol.value()


def struct_type(name):
    """A struct by its name; where a module is found by that name, the file that uses it knows the struct."""
    try:
        kind = gdb.lookup_type(name)
        if kind.code == gdb.TYPE_CODE_STRUCT:
            return kind
        return gdb.parse_and_eval("0 as *const " + name).type.target()
    except gdb.error:
        return None


def read(address, count):
    return bytes(gdb.selected_inferior().read_memory(address, count))


def at(address, kind):
    return gdb.Value(address).cast(kind.pointer()).dereference()


def function_at(address):
    """The name of the function at an address, with its type arguments."""
    block = gdb.block_for_pc(address)
    while block is not None and block.function is None:
        block = block.superblock
    if block is not None:
        return block.function.name
    return gdb.execute("info symbol %d" % address, to_string=True).split(" in section")[0]


def site(number):
    """A place in the source by its number."""
    if number == 0:
        return None
    entry = scalar(static("haft::raw::site::TABLE")[number])
    if entry == 0:
        return None
    if entry & 1:
        foreign = at(entry & ~1, struct_type("haft::raw::site::Foreign"))
        name, line = text(foreign["file"]), int(foreign["line"])
        return "%s:%d" % (name, line) if line else name
    kind = struct_type("core::panic::location::Location")
    if kind is None:
        return "(the Location at %#x)" % entry
    location = at(entry, kind)
    name = next(field.name for field in kind.fields() if "file" in field.name and field.type.sizeof)
    return "%s:%d:%d" % (text(location[name]), int(location["line"]), int(location["col"]))


def text(value):
    """A `&str`, `Box<str>` or `NonNull<str>`."""
    while not has_field(value.type, "data_ptr"):
        value = value[next(field for field in value.type.fields() if field.type.sizeof)]
    return read(int(value["data_ptr"]), int(value["length"])).decode("utf-8", "replace")


class Page:
    """A page: its entry in the table, and its slots as they were when it was looked at."""

    def __init__(self, place, entry):
        self.place = place
        fixed = at(int(entry["fixed"].address), struct_type("haft::raw::page::Description"))
        self.info = fixed["shard"].dereference()["set"].dereference()["info"].dereference()
        # Slots that were put on a free list at some time; the others were never used.
        self.used = scalar(entry["mine"]["primed"])
        self.start, self.stride = scalar(fixed["memory"]), int(self.info["stride"])
        self.state_at = offset(struct_type("haft::raw::slot::Slot"), "state")
        self.memory = read(self.start, self.used * self.stride)
        # Before the slots, that of the first slot last.
        self.histories = read(self.start - 8 * self.used, 8 * self.used)

    def type_names(self):
        """What haft calls the type of the values, and what the debug info calls it."""
        function = function_at(int(self.info["name"]))
        found = re.search(r"type_name(?:::)?<(.*)>$", function)
        own = found.group(1) if found else None
        alias = re.search(r'"(.*)"', str(self.info["alias"]))
        return (alias.group(1) if alias else own or "(unknown)", own)

    def state(self, index):
        """Generation, phase by name, and the holds of a closed one."""
        (word,) = struct.unpack_from("<Q", self.memory, index * self.stride + self.state_at)
        generation = word & ((1 << GENERATION_BITS) - 1)
        if word & LIVE:
            return generation, "Live", 0
        if word & CLOSED:
            return generation, "Closed", (word & ~CLOSED) >> HOLDS_SHIFT
        return generation, "Reserved" if word & RESERVED else "Vacant", 0

    def sites(self, index):
        """Where the last handle was created and removed."""
        created, removed = struct.unpack_from("<HH", self.histories, 8 * (self.used - index - 1))
        return site(created), site(removed)

    def value(self, index):
        """Where the value of a slot is, and what it is, where its type is known."""
        address = self.start + index * self.stride + int(self.info["value"])
        own = self.type_names()[1]
        try:
            kind = gdb.lookup_type(own) if own else None
            return address, at(address, kind).format_string(max_elements=32) if kind else None
        except gdb.error:
            return address, None

    def handle(self, index, generation):
        return generation << GENERATION_SHIFT | self.place << (1 + SLOT_BITS) | index << 1 | 1


def page_type():
    kind = struct_type("haft::raw::page::Page")
    if kind is None:
        raise gdb.GdbError(NO_DEBUG_INFO)
    return kind


def parts_of_table():
    """The parts of the table that there are: the first place, the address, and how many places."""
    space = static("haft::raw::thread::SPACE")
    first, further = space["first"], space["parts"]
    # A wrapper may hide it from who looks at a whole space.
    while first.type.strip_typedefs().code != gdb.TYPE_CODE_ARRAY:
        first = first[next(field for field in first.type.fields() if field.type.sizeof)]
    count = first.type.range()[1] + 1
    yield 0, int(first.address), count
    # Those after it have twice as many; the first of them overlaps it.
    for index in range(further.type.range()[1] + 1):
        address = scalar(further[index])
        if address:
            yield 2 * count * index, address, 2 * count


def page_at(place):
    """The page at a place, if there is one: it has slots."""
    kind = page_type()
    for first, address, count in parts_of_table():
        if first <= place < first + count:
            entry = at(address + (place - first) * kind.sizeof, kind)
            if scalar(entry["slots"]):
                return Page(place, entry)
    return None


def pages():
    """All pages. The table is mostly zeros, which a core file may leave out."""
    kind = page_type()
    size, slots = kind.sizeof, offset(kind, "slots")
    for first, address, count in parts_of_table():
        try:
            memory = read(address, count * size)
        except gdb.MemoryError:
            continue
        for index in range(count):
            (is_there,) = struct.unpack_from("<I", memory, index * size + slots)
            if is_there:
                yield Page(first + index, at(address + index * size, kind))


def parts(bits):
    place = bits >> (1 + SLOT_BITS) & ((1 << PLACE_BITS) - 1)
    return bits >> GENERATION_SHIFT, place, bits >> 1 & ((1 << SLOT_BITS) - 1)


def describe(bits):
    """A handle in words: lines, the first of which is its state."""
    if bits == 0:
        return ["zero, which is never a handle"]
    if bits & 1 == 0:
        return ["not a handle: it is even, so it is an address or damaged"]
    if bits >> 63:
        return ["not a handle: bit 63 is set, so it is a negative number or damaged"]
    generation, place, slot = parts(bits)
    page = page_at(place)
    if page is None or slot >= page.used:
        return ["never issued, or its memory was given back: there is no such slot now"]
    now, phase, holds = page.state(slot)
    name = page.type_names()[0]
    created, removed = page.sites(slot)
    if now != generation:
        known = "removed, or never issued" if generation < now else "never issued"
        return ["%s: its slot (of %s) is at generation %d" % (known, name, now)]
    lines = {
        "Live": ["live"],
        "Closed": ["removed, and still held by %d" % holds],
        "Vacant": ["removed"] if created else ["never issued"],
        "Reserved": ["being created"],
    }[phase]
    lines[0] += ", of type " + name
    if created and phase != "Reserved" and not (phase == "Live" and removed):
        lines.append("created at " + created)
    if removed and phase != "Live" and phase != "Reserved":
        lines.append("removed at " + removed)
    if phase in ("Live", "Closed"):
        address, value = page.value(slot)
        lines.append("value at %#x%s" % (address, ": " + value if value else ""))
    return lines


class Haft(gdb.Command):
    """Handles of the Rust crate haft: `haft handle` and `haft live`."""

    def __init__(self):
        super().__init__("haft", gdb.COMMAND_DATA, prefix=True)


class HaftHandle(gdb.Command):
    """haft handle HANDLE

Says what a handle is: its parts, whether it is live, its type, the places that created and removed it, its value. HANDLE is a number or an expression."""

    def __init__(self):
        super().__init__("haft handle", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _):
        if not argument:
            raise gdb.GdbError("haft handle: which handle? Give a number or an expression.")
        bits = scalar(gdb.parse_and_eval(argument)) & 0xFFFFFFFFFFFFFFFF
        with Rust():
            generation, place, slot = parts(bits)
            where = (bits, generation, place, slot)
            gdb.write("handle %#018x: generation %d, page %d, slot %d\n" % where)
            for line in describe(bits):
                gdb.write("  %s\n" % line)


class HaftLive(gdb.Command):
    """haft live [COUNT]

Lists live handles, and values that are removed and still held: COUNT of them (100 if not given), then how many there are."""

    def __init__(self):
        super().__init__("haft live", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument, _):
        left = int(argument) if argument else 100
        counts = {"Live": 0, "Closed": 0}
        with Rust():
            for page in pages():
                for index in range(page.used):
                    generation, phase, _holds = page.state(index)
                    if phase not in counts:
                        continue
                    counts[phase] += 1
                    if left > 0:
                        left -= 1
                        created = page.sites(index)[0] or "(unknown)"
                        state = "live" if phase == "Live" else "held"
                        row = (page.handle(index, generation), state, page.type_names()[0], created)
                        gdb.write("%#018x  %s  %s  created at %s\n" % row)
        live, held = counts["Live"], counts["Closed"]
        gdb.write("%d live, %d removed and still held\n" % (live, held))


class HandlePrinter:
    """A handle as `print` shows it."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        bits = scalar(self.value)
        try:
            with Rust():
                said = describe(bits)
        except (gdb.error, gdb.GdbError):
            said = []
        return "%#018x" % bits + ("".join([" (", "; ".join(said), ")"]) if said else "")


def register(objfile):
    printers = gdb.printing.RegexpCollectionPrettyPrinter("haft")
    printers.add_printer("Handle", r"^haft::handle::Handle<.*>$", HandlePrinter)
    printers.add_printer("AnyHandle", r"^haft::any::AnyHandle$", HandlePrinter)
    gdb.printing.register_pretty_printer(objfile, printers, replace=True)
    Haft()
    HaftHandle()
    HaftLive()


register(gdb.current_objfile())
