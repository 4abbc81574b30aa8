#include "daemon/runtime/marker_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/hash.h"
#include "proto/bytes.h"

namespace fieldpost::runtime {

namespace {

constexpr std::size_t content_bytes = 6 + 8 + 8 + 4;
constexpr std::size_t check_bytes = 8;

Bytes encode(const engine::Marker& marker) {
    ByteWriter out;
    write(out, marker.incarnation);
    out.u64(marker.next_arrival);
    out.u64(marker.next_counter);
    out.u32(marker.roster_version);
    const auto check = crypto::hash("marker", NetworkId{}, {out.bytes()});
    out.raw(check.first(check_bytes));
    return out.take();
}

std::optional<engine::Marker> decode(BytesView bytes) {
    ByteReader in(bytes);
    engine::Marker marker;
    const auto incarnation = read_incarnation(in);
    const auto arrival = in.read_u64();
    const auto counter = in.read_u64();
    const auto roster_version = in.read_u32();
    if (!incarnation || !arrival || !counter || !roster_version) {
        return std::nullopt;
    }
    marker = {*incarnation, *arrival, *counter, *roster_version};
    return equal(encode(marker), bytes) ? std::optional(marker) : std::nullopt;
}

}  // namespace

Result<MarkerFile> MarkerFile::open(const std::filesystem::path& path) {
    MarkerFile file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.fd_ < 0) {
        return fail(Errc::unavailable,
                    fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)));
    }
    Bytes bytes(content_bytes + check_bytes);
    if (::pread(file.fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) {
        file.marker_ = decode(bytes);
    }
    return file;
}

MarkerFile::~MarkerFile() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

MarkerFile::MarkerFile(MarkerFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), marker_(other.marker_) {}

void MarkerFile::put(const engine::Marker& marker) {
    if (marker_ == marker) {
        return;
    }
    marker_ = marker;
    const auto bytes = encode(marker);
    // One that cannot be written, on a full disk say, catches less and harms nothing.
    (void)!::pwrite(fd_, bytes.data(), bytes.size(), 0);
}

}  // namespace fieldpost::runtime
