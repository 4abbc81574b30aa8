"""WIRE.md 5: the cells of a bundle."""
from .conventions import Parts, little, need, unseal
from .register import TRANSPORT, earlier_epoch

GRID, LARGEST = 256, 131_072


def part_keys(network, key):
    return network.hash("bundle-head", key=key), network.hash("bundle-content", key=key)


def read_bundle(network, founding_key, data, epoch=0, transport=b""):
    """[(part, content)], and whether its end was reached with all of them. `transport`: the secret of `epoch`."""
    keys = [("roster", part_keys(network, network.hash("bundle-roster", key=founding_key)))]
    for one in range(epoch + 1):
        secret = earlier_epoch(network, transport, TRANSPORT, epoch, one) if one else founding_key
        keys.append(("rest", part_keys(network, network.hash("bundle", little(one, 2), key=secret))))
    cells, at, skipped = [], 0, 0
    while at + 48 <= len(data):
        for part, (head_key, content_key) in keys:
            try:
                head = unseal(data[at + 24:at + 48], b"", data[at:at + 24], head_key)
            except Exception:
                continue
            kind, number, size = head[0], int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:], "little")
            if kind == 2:
                return Parts(cells=cells, whole=number == len(cells) and not skipped)
            need(kind == 1 and size <= LARGEST, "content")
            box = data[at + 48:at + 48 + 40 + size]
            cells.append((part, unseal(box[24:], head, box[:24], content_key)))
            at += -(-(48 + 40 + size) // GRID) * GRID
            break
        else:
            at, skipped = at + GRID, skipped + GRID
    return Parts(cells=cells, whole=False)
