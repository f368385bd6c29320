"""A second verifier of evidence files, written from docs/evidence.md with nothing but Python 3.

usage: stranger.py ROOT FILE         one line: what the file proves; exit status 1 where it is refused
       stranger.py ROOT FILE STEP    changes each STEP-th byte in turn, and prints how many changes it took"""
import base64, hashlib, json, struct, sys, zlib

# --- Ed25519, RFC 8032 ---
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
def add(a, b):
    A, B = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    C, Z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    E, F, G, H = B - A, Z - C, Z + C, B + A
    return E * F % P, G * H % P, F * G % P, E * H % P
def times(n, point):
    sum_ = (0, 1, 1, 0)
    while n:
        if n & 1: sum_ = add(sum_, point)
        point, n = add(point, point), n >> 1
    return sum_
def point(b):
    y, sign = int.from_bytes(b, "little") & (1 << 255) - 1, b[31] >> 7
    need(y < P, "no point")
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P: x = x * pow(2, (P - 1) // 4, P) % P
    need((x * x - x2) % P == 0 and (x or not sign), "no point")
    if x & 1 != sign: x = P - x
    return x, y, 1, x * y % P
BASE = None
def signed(public, message, signature):
    global BASE
    BASE = BASE or point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    if len(signature) != 64: return False
    try: a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    except Refused: return False
    if s >= L: return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0

class Refused(Exception): pass
def need(so, why):
    if not so: raise Refused(why)

# --- CBOR, as far as it is used ---
def cbor(b, at):
    need(at < len(b), "CBOR ends")
    major, n, at = b[at] >> 5, b[at] & 31, at + 1
    if n > 23:
        need(n < 28 and at + (1 << n - 24) <= len(b), "CBOR head")
        n, at = int.from_bytes(b[at:at + (1 << n - 24)], "big"), at + (1 << n - 24)
    if major == 0: return n, at
    if major == 1: return -1 - n, at
    if major in (2, 3):
        need(at + n <= len(b), "CBOR string")
        return (b[at:at + n] if major == 2 else b[at:at + n].decode()), at + n
    need(major in (4, 5, 6) and n < 1 << 20, "CBOR type")
    items = []
    for _ in range({4: n, 5: 2 * n, 6: 1}[major]):
        item, at = cbor(b, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if major == 5 else items), at
def head(major, n):
    return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else struct.pack(">BH", major << 5 | 25, n)
def opened(envelope, kind, role, address, keys):  # COSE_Sign1; returns the payload
    need(envelope[:1] == b"\xd2", "no COSE_Sign1")
    (protected, unprotected, payload, signature), end = cbor(envelope, 1)
    says = cbor(protected, 0)[0]
    need(end == len(envelope) and unprotected == {} and says[1] == -8, "COSE_Sign1")
    need((says[-65537], says[-65538], says[-65540]) == (kind, role, address), "an envelope of something else")
    text = b"\x84" + head(3, 10) + b"Signature1" + head(2, len(protected)) + protected + b"\x40" + head(2, len(payload)) + payload
    need(any(r == role and e == says[-65539] and hashlib.sha256(k).digest()[:8] == says[4] and signed(k, text, signature) for r, e, k in keys), kind + " is not signed")
    return cbor(payload, 0)[0]

# --- the zip ---
NAMES = "read-me.zh.txt read-me.en.txt manifest.json entries.cbor entries.cddl checkpoint range-proof earlier-checkpoint earlier-range-proof tlog-policy clock.json trust.cose house.cose SM3SUMS SHA256SUMS signature".split()
OPTIONAL = {"earlier-checkpoint", "earlier-range-proof", "trust.cose", "house.cose"}
def unzip(b):
    at, has, directory = 0, {}, b""
    while b[at:at + 4] == b"PK\3\4":
        need(at + 30 <= len(b), "cut")
        crc, size, length = struct.unpack_from("<I4xIH", b, at + 14)
        name = b[at + 30:at + 30 + length].decode("ascii", "replace")
        data = b[at + 30 + length:at + 30 + length + size]
        common = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, crc, size, size, length, 0)
        need(name in NAMES and name not in has and b[at:at + 30] == b"PK\3\4" + common and zlib.crc32(data) == crc and len(data) == size, "zip")
        directory += b"PK\1\2" + struct.pack("<H", 20) + common + bytes(10) + struct.pack("<I", at) + name.encode()
        has[name], at = data, at + 30 + length + size
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(has), len(has), len(directory), at, 0)
    need(b[at:] == directory + end, "zip directory")
    need([n for n in NAMES if n in has] == list(has) and all(n in has or n in OPTIONAL for n in NAMES), "members")
    return has

# --- notes and trees ---
def vkey(name, kind, key): return name + "+" + hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).hexdigest()[:8] + "+" + base64.b64encode(bytes([kind]) + key).decode()
def note(b, keys):  # keys: (name, kind, key); returns the text and {(name, kind): time}
    text, _, lines = b.decode().rpartition("\n\n")
    text, by = text + "\n", {}
    for line in lines.splitlines():
        dash, name, raw = line.split(" ")
        raw = base64.b64decode(raw, validate=True)
        for n, kind, key in keys:
            if n == name and hashlib.sha256(n.encode() + b"\n" + bytes([kind]) + key).digest()[:4] == raw[:4]:
                time = int.from_bytes(raw[4:12], "big") if kind == 4 else None
                said = b"cosignature/v1\ntime %d\n" % time + text.encode() if kind == 4 else text.encode()
                need(signed(key, said, raw[12 if kind == 4 else 4:]), "signature of " + name)
                by[n, kind] = time
    need(by and b.endswith(b"\n"), "nobody signed")
    return text, by
def node(a, b): return hashlib.sha256(b"\1" + a + b).digest()
def root(proof, leaves, first):  # of the tree that the proof leads to, and its size
    lines = proof.decode().split("\n")
    need(lines[0] == "gatehouse/range-proof@v1" and lines[-1] == "", "range proof")
    begin, end, size = map(int, lines[1].split(" "))
    hashes = [base64.b64decode(h, validate=True) for h in lines[2:-1]]
    need(begin == first and begin <= end <= size and len(leaves) >= end - begin, "range proof of other entries")
    stack, at = [], 0  # (hash, level)
    def push(h, level):
        while stack and stack[-1][1] == level: h, level = node(stack.pop()[0], h), level + 1
        stack.append((h, level))
    for level in reversed(range(64)):
        if begin >> level & 1: push(hashes.pop(0), level)
    for leaf in leaves[:end - begin]: push(leaf, 0)
    at = end
    while at < size:
        level = min((size - at).bit_length() - 1, (at & -at).bit_length() - 1 if at else 64)
        push(hashes.pop(0), level)
        at += 1 << level
    need(not hashes and stack, "range proof")
    h = stack.pop()[0]
    while stack: h = node(stack.pop()[0], h)
    return h, size, end

def verify(b, trusted):
    has = unzip(b)
    sums = lambda covered, f: "".join("%s  %s\n" % (f(has[n]), n) for n in covered).encode()
    need(sums(list(has)[:-2], lambda d: hashlib.sha256(d).hexdigest()) == has["SHA256SUMS"], "SHA256SUMS")
    m = json.loads(has["manifest.json"])
    need((json.dumps(m, indent=1, ensure_ascii=False) + "\n").encode() == has["manifest.json"] and m["format"] == "gatehouse evidence 1", "manifest")
    origin, witness = "gatehouse/%s/%s" % (m["gateway"], m["epoch"]), "gatehouse/" + m["registry"]
    need(bytes.fromhex(m["root"]) == trusted, "another root")
    building, gateway = m["gateway"].split("/")
    trust = opened(has["trust.cose"], "trust", "root", m["registry"], [("root", 0, trusted)])
    house = opened(has["house.cose"], "house", "issuer", building, trust[4])
    log = next(g[1] for g in house[5] if g[0] == gateway)
    witnesses = sorted({k for role, _, k in trust[4] if role == "witness"})
    named = ["witness-" + hashlib.sha256(k).hexdigest()[:16] for k in witnesses]
    lines = ["log " + vkey(origin, 1, log)] + ["witness %s %s" % (n, vkey(witness, 4, k)) for n, k in zip(named, witnesses)]
    lines += ["group witnesses any " + " ".join(named), "quorum witnesses"] if named else ["quorum none"]
    need("\n".join(lines + [""]).encode() == has["tlog-policy"], "tlog-policy")
    text, _ = note(has["signature"], [(origin, 1, log)] + [(witness, 1, k) for k in witnesses])
    need(text == "gatehouse/evidence@v1\n%s\n%s\n" % (origin, base64.b64encode(hashlib.sha256(has["SHA256SUMS"]).digest()).decode()), "signature")
    at, leaves, counts, e = 0, [], [0, 0, 0], has["entries.cbor"]
    while at < len(e):
        first, parts = at + 1, e[at] & 31
        item, at = cbor(e, at)
        h = cbor(e, first)[1]
        hash_ = bytes(32) if parts == 1 else item[1] if parts == 2 else hashlib.sha256(item[1] + e[h + 17:at]).digest()
        counts = [counts[0] + 1, counts[1] + (parts == 3), counts[2] + (parts == 2)]
        leaves.append(hashlib.sha256(b"\0" + e[first:h] + hash_).digest())
    need(counts == [m["counts"][k] for k in ("entries", "named", "withheld")], "counts")
    through, cosigned = 0, None
    for name, proof in ("checkpoint", "range-proof"), ("earlier-checkpoint", "earlier-range-proof"):
        if name in has:
            text, by = note(has[name], [(origin, 1, log)] + [(witness, 4, k) for k in witnesses])
            h, size, end = root(has[proof], leaves, m["first"])
            need(text == "%s\n%d\n%s\n" % (origin, size, base64.b64encode(h).decode()), "the proof leads elsewhere")
            need(end == min(size, m["first"] + len(leaves)), "a proof of some entries")
            if (witness, 4) in by: through, cosigned = end, by[witness, 4]
    return "entries %d named %d cosigned %d at %s" % (counts[0], counts[1], through, cosigned)

def judge(b, trusted):
    try: return verify(b, trusted), True
    except (Refused, KeyError, ValueError, IndexError, TypeError, StopIteration, RecursionError) as why: return "refused: %s" % why, False

if __name__ == "__main__":
    trusted, file = bytes.fromhex(sys.argv[1]), bytearray(open(sys.argv[2], "rb").read())
    if len(sys.argv) == 3:
        says, good = judge(bytes(file), trusted)
        print(says)
        sys.exit(not good)
    taken = tried = 0
    for i in range(0, len(file), int(sys.argv[3])):
        file[i] ^= 1 << i % 8
        taken, tried = taken + judge(bytes(file), trusted)[1], tried + 1
        file[i] ^= 1 << i % 8
    print("tried", tried, "taken", taken)
