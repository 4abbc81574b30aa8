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

Result<Bookmark> decode(BytesView bytes) {
    ByteReader in(bytes);
    Bookmark bookmark;
    bookmark.said = to_bytes(TRY(in.read_sized(bytes.size())));
    if (const auto place = TRY(in.read_u8()); place > 0) {
        bookmark.place = static_cast<std::uint8_t>(place - 1);
    }
    bookmark.holds = to_bytes(TRY(in.read_sized(bytes.size())));
    bookmark.state = to_bytes(TRY(in.read_sized(bytes.size())));
    return bookmark;
}

}  // namespace

Bytes encode(const Bookmark& bookmark) {
    if (bookmark == Bookmark{}) {
        return {};
    }
    ByteWriter out;
    out.sized(bookmark.said);
    out.u8(bookmark.place ? static_cast<std::uint8_t>(*bookmark.place + 1) : 0);
    out.sized(bookmark.holds);
    out.sized(bookmark.state);
    return out.take();
}

Bookmark decode_bookmark(BytesView bytes) {
    auto bookmark = decode(bytes);
    return bookmark ? std::move(*bookmark) : Bookmark{};
}

std::string name_after(BytesView said, std::uint16_t chance) {
    const auto half = fmt::format("{:04x}", chance);
    return half + check_of(said, half) + ".bin";
}

// Files that were written in another way, such as by `bundle export`, prove nothing about a row.
std::vector<std::size_t> row_among(std::span<const NamedBookmark> files) {
    std::vector<std::size_t> row;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& [name, bookmark] = files[i];
        if (!bookmark.place) {
            continue;
        }
        const bool is_next = !row.empty() && *bookmark.place == row.size() &&
                             is_after(name, files[row.back()].bookmark.said);
        if (*bookmark.place != 0 && !is_next) {
            row.clear();
            continue;
        }
        if (*bookmark.place == 0) {
            row.clear();
        }
        row.push_back(i);
    }
    return row;
}

}  // namespace fieldpost::runtime
