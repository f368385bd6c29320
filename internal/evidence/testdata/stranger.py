"""A second verifier of evidence files, written from docs/evidence.md with nothing but Python 3.

usage: stranger.py ROOT FILE    one line: what the file proves; exit status 1, and why, where it is refused"""
import base64, hashlib, io, json, struct, sys, zipfile, zlib

def need(so, why):
    if not so: raise ValueError(why)
def sha256(*parts): return hashlib.sha256(b"".join(parts)).digest()
# --- Ed25519, RFC 8032 ---
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P
def times(n, point):
    total = 0, 1
    while n:
        if n & 1: total = add(total, point)
        point, n = add(point, point), n >> 1
    return total
def point(b):
    y, sign = int.from_bytes(b, "little") & (1 << 255) - 1, b[31] >> 7
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P: x = x * pow(2, (P - 1) // 4, P) % P
    need(y < P and (x * x - x2) % P == 0 and (x or not sign), "no point")
    return (x if x & 1 == sign else P - x), y
BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
def signed(public, message, signature):
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return len(signature) == 64 and s < L and times(s, BASE) == add(point(signature[:32]), times(k, point(public)))
# --- CBOR, as far as it is used ---
def cbor(b, at):
    need(at < len(b), "CBOR ends")
    major, n, at = b[at] >> 5, b[at] & 31, at + 1
    if n > 23:
        need(n < 28 and at + (1 << n - 24) <= len(b), "CBOR head")
        n, at = int.from_bytes(b[at:at + (1 << n - 24)], "big"), at + (1 << n - 24)
    if major < 2: return (-1 - n if major else n), at
    if major < 4:
        need(at + n <= len(b), "CBOR string")
        return (b[at:at + n] if major == 2 else b[at:at + n].decode()), at + n
    need(major < 7 and n < 1 << 20, "CBOR type")
    items = []
    for _ in range({4: n, 5: 2 * n, 6: 1}[major]):
        item, at = cbor(b, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if major == 5 else items), at
def cbor_bytes(b):
    n = len(b)
    return (bytes([0x40 | n]) if n < 24 else bytes([0x58, n]) if n < 256 else struct.pack(">BH", 0x59, n)) + b
def opened(envelope, kind, role, address, keys):  # COSE_Sign1; returns the payload
    need(envelope[:1] == b"\xd2", "no COSE_Sign1")
    (protected, unprotected, payload, signature), end = cbor(envelope, 1)
    says = cbor(protected, 0)[0]
    need(end == len(envelope) and unprotected == {} and says[1] == -8, "COSE_Sign1")
    need((says[-65537], says[-65538], says[-65540]) == (kind, role, address), "an envelope of something else")
    text = b"\x84\x6aSignature1" + cbor_bytes(protected) + b"\x40" + cbor_bytes(payload)
    need(any(r == role and e == says[-65539] and sha256(k)[:8] == says[4] and signed(k, text, signature) for r, e, k in keys), kind + " is not signed")
    return cbor(payload, 0)[0]
# --- the zip: its bytes follow from what is in it ---
NAMES = """read-me.zh.txt read-me.en.txt manifest.json entries.cbor entries.cddl checkpoint range-proof earlier-checkpoint earlier-range-proof
    tlog-policy clock.json trust.cose house.cose SM3SUMS SHA256SUMS signature""".split()
OPTIONAL = {"earlier-checkpoint", "earlier-range-proof", "trust.cose", "house.cose"}
def unzip(b):
    z = zipfile.ZipFile(io.BytesIO(b))
    need([n for n in NAMES if n in z.namelist() or n not in OPTIONAL] == z.namelist(), "members")
    has = {i.filename: z.read(i) for i in z.infolist() if i.compress_type == zipfile.ZIP_STORED}
    members = directory = b""
    for name, data in has.items():
        common = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), 0)
        directory += b"PK\1\2" + struct.pack("<H", 20) + common + bytes(10) + struct.pack("<I", len(members)) + name.encode()
        members += b"PK\3\4" + common + name.encode() + data
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(has), len(has), len(directory), len(members), 0)
    need(b == members + directory + end, "zip")
    return has
# --- notes and trees ---
def key_hash(name, kind, key): return sha256(name.encode(), b"\n", bytes([kind]), key)[:4]
def vkey(name, kind, key): return "%s+%s+%s" % (name, key_hash(name, kind, key).hex(), base64.b64encode(bytes([kind]) + key).decode())
def note(b, keys):  # keys: (name, kind, key); returns the text and {(name, kind): time}
    text, _, lines = b.decode().rpartition("\n\n")
    text, by = text + "\n", {}
    for line in lines.splitlines():
        dash, name, raw = line.split(" ")
        raw = base64.b64decode(raw, validate=True)
        for n, kind, key in keys:
            if n == name and key_hash(n, kind, key) == raw[:4]:
                time = int.from_bytes(raw[4:12], "big") if kind == 4 else None
                said = b"cosignature/v1\ntime %d\n" % time if kind == 4 else b""
                need(signed(key, said + text.encode(), raw[12 if kind == 4 else 4:]), "signature of " + name)
                by[n, kind] = time
    need(by and b.endswith(b"\n"), "nobody signed")
    return text, by
def root(proof, leaves, first):  # of the tree that the proof leads to, its size, and where the leaves in it end
    lines = proof.decode().split("\n")
    need(lines[0] == "gatehouse/range-proof@v1" and lines[-1] == "", "range proof")
    begin, end, size = map(int, lines[1].split(" "))
    hashes = [base64.b64decode(h, validate=True) for h in lines[2:-1]]
    need(begin == first and begin <= end <= size and len(leaves) >= end - begin, "range proof of other entries")
    def over(low, high):  # RFC 6962, 2.1
        n = high - low
        if (high <= begin or low >= end) and n & (n - 1) == 0: return hashes.pop(0)
        if n == 1: return leaves[low - begin]
        middle = low + (1 << (n - 1).bit_length() - 1)
        left = over(low, middle)
        return sha256(b"\1", left, over(middle, high))
    h = over(0, size)
    need(not hashes, "range proof")
    return h, size, end

def verify(b, trusted):
    has = unzip(b)
    need("".join("%s  %s\n" % (sha256(has[n]).hex(), n) for n in list(has)[:-2]).encode() == has["SHA256SUMS"], "SHA256SUMS")
    m = json.loads(has["manifest.json"])
    need((json.dumps(m, indent=1, ensure_ascii=False) + "\n").encode() == has["manifest.json"] and m["format"] == "gatehouse evidence 1", "manifest")
    origin, witness = "gatehouse/%s/%s" % (m["gateway"], m["epoch"]), "gatehouse/" + m["registry"]
    need(bytes.fromhex(m["root"]) == trusted, "another root")
    trust = opened(has["trust.cose"], "trust", "root", m["registry"], [("root", 0, trusted)])
    house = opened(has["house.cose"], "house", "issuer", m["gateway"].split("/")[0], trust[4])
    log = next(g[1] for g in house[5] if g[0] == m["gateway"].split("/")[1])
    witnesses = sorted({k for role, _, k in trust[4] if role == "witness"})
    named = ["witness-" + sha256(k)[:8].hex() for k in witnesses]
    lines = ["log " + vkey(origin, 1, log)] + ["witness %s %s" % (n, vkey(witness, 4, k)) for n, k in zip(named, witnesses)]
    lines += ["group witnesses any " + " ".join(named), "quorum witnesses"] if named else ["quorum none"]
    need("\n".join(lines + [""]).encode() == has["tlog-policy"], "tlog-policy")
    text, _ = note(has["signature"], [(origin, 1, log)] + [(witness, 1, k) for k in witnesses])
    need(text == "gatehouse/evidence@v1\n%s\n%s\n" % (origin, base64.b64encode(sha256(has["SHA256SUMS"])).decode()), "signature")
    at, leaves, counts, e = 0, [], [0, 0, 0], has["entries.cbor"]
    while at < len(e):
        first, parts = at + 1, e[at] & 31
        item, at = cbor(e, at)
        h = cbor(e, first)[1]
        leaves.append(sha256(b"\0", e[first:h], bytes(32) if parts == 1 else item[1] if parts == 2 else sha256(item[1], e[h + 17:at])))
        counts = [counts[0] + 1, counts[1] + (parts == 3), counts[2] + (parts == 2)]
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

if __name__ == "__main__":
    try: print(verify(open(sys.argv[2], "rb").read(), bytes.fromhex(sys.argv[1])))
    except Exception as why: sys.exit("refused: %s" % why)
