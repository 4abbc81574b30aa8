#include "daemon/runtime/bookmark.h"

#include <fmt/format.h>

#include "crypto/hash.h"

namespace fieldpost::runtime {

namespace {

constexpr std::size_t half_bytes = 2;

std::string check_of(BytesView said, const std::string& half) {
    const auto hash = crypto::hash("folder-row", {}, {said, as_bytes(half)});
    return to_hex(hash.view().first(half_bytes));
}

bool is_after(const std::string& name, BytesView said) {
    return name.size() > 2 * half_bytes &&
           name.substr(2 * half_bytes) == check_of(said, name.substr(0, 2 * half_bytes)) + ".bin";
}

Result<Tail> decode(BytesView bytes) {
    ByteReader in(bytes);
    Tail tail;
    tail.said = to_bytes(TRY(in.read_sized(bytes.size())));
    if (const auto place = TRY(in.read_u8()); place > 0) {
        tail.place = static_cast<std::uint8_t>(place - 1);
    }
    return tail;
}

}  // namespace

Bytes encode(const Tail& tail) {
    if (tail == Tail{}) {
        return {};
    }
    ByteWriter out;
    out.sized(tail.said);
    out.u8(tail.place ? static_cast<std::uint8_t>(*tail.place + 1) : 0);
    return out.take();
}

Tail decode_tail(BytesView bytes) {
    auto tail = decode(bytes);
    return tail ? std::move(*tail) : Tail{};
}

std::string name_after(BytesView said, std::uint16_t chance) {
    const auto half = fmt::format("{:04x}", chance);
    return half + check_of(said, half) + ".bin";
}

// Files that were written in another way, such as by `bundle export`, prove nothing about a row.
std::vector<std::size_t> row_among(std::span<const NamedTail> files) {
    std::vector<std::size_t> row;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& [name, tail] = files[i];
        if (!tail.place) {
            continue;
        }
        const bool is_next = !row.empty() && *tail.place == row.size() &&
                             is_after(name, files[row.back()].tail.said);
        // Nothing can follow a file whose tail is not known.
        if ((*tail.place != 0 && !is_next) || tail.said.empty()) {
            row.clear();
            continue;
        }
        if (*tail.place == 0) {
            row.clear();
        }
        row.push_back(i);
    }
    return row;
}

}  // namespace fieldpost::runtime
