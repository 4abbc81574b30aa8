#include "daemon/home/office_home.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/key_file.h"

namespace fieldpost::home {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t small_file_bytes_max = 1U << 20;
constexpr std::size_t arrivals_bytes_max = 64U << 20;
constexpr unsigned secret_mode = 0600;
constexpr unsigned shared_mode = 0640;

class File {
public:
    explicit File(int fd) : fd_(fd) {}
    ~File() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

std::unexpected<Error> os_error(std::string_view doing, const fs::path& path) {
    const int code = errno;
    return fail(code == ENOSPC || code == EDQUOT ? Errc::storage_full
                : code == ENOENT                 ? Errc::not_found
                : code == EACCES                 ? Errc::refused
                                                 : Errc::unavailable,
                fmt::format("{} {}: {}", doing, path.string(), std::strerror(code)));
}

}  // namespace

namespace {

// A name that nobody can have made beforehand. It is hidden from programs that look for whole
// files.
fs::path temporary_beside(const fs::path& path) {
    std::array<std::byte, 8> bytes{};
    crypto::fill_random(bytes);
    return path.parent_path() / fmt::format(".{}.new", to_hex(bytes));
}

// Writes and syncs a new file. If this fails, the file is left behind.
Result<void> write_new(const fs::path& path, BytesView bytes, unsigned mode) {
    // O_EXCL and O_NOFOLLOW: no secret is written into a file or pipe that somebody else made, or
    // through a link.
    const File file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, secret_mode));
    // A strict umask must not keep the group from a file that the group is to read.
    if (file.fd() < 0 || ::fchmod(file.fd(), mode) != 0) {
        return os_error("cannot write", path);
    }
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto written = ::write(file.fd(), bytes.data() + done, bytes.size() - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return os_error("cannot write", path);
        }
        done += static_cast<std::size_t>(written);
    }
    if (::fsync(file.fd()) != 0) {
        return os_error("cannot sync", path);
    }
    return ok();
}

}  // namespace

Result<void> write_whole(const fs::path& path, BytesView bytes, unsigned mode) {
    const auto temporary = temporary_beside(path);
    auto written = write_new(temporary, bytes, mode);
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
        written = os_error("cannot write", path);
    }
    if (!written) {
        ::unlink(temporary.c_str());
        return written;
    }
    const File folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.fd() < 0 || ::fsync(folder.fd()) != 0) {
        return os_error("cannot sync", path.parent_path());
    }
    return ok();
}

Result<Bytes> read_whole(const fs::path& path, std::size_t max) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info{};
    if (file.fd() < 0 || fstat(file.fd(), &info) != 0) {
        return os_error("cannot read", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(Errc::malformed, fmt::format("{} is not a file", path.string()));
    }
    if (static_cast<std::uint64_t>(info.st_size) > max) {
        return fail(Errc::limit_exceeded,
                    fmt::format("{} has {} bytes, at most {}", path.string(), info.st_size, max));
    }
    Bytes bytes(static_cast<std::size_t>(info.st_size));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto got = ::read(file.fd(), bytes.data() + done, bytes.size() - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return os_error("cannot read", path);
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    // A file that somebody writes meanwhile would be read half old and half new.
    std::byte more{};
    struct stat after{};
    if (done < bytes.size() || ::read(file.fd(), &more, 1) != 0 || fstat(file.fd(), &after) != 0 ||
        after.st_mtim.tv_sec != info.st_mtim.tv_sec ||
        after.st_mtim.tv_nsec != info.st_mtim.tv_nsec) {
        return fail(Errc::unavailable, fmt::format("{} changes while it is read", path.string()));
    }
    return bytes;
}

namespace {

Bytes encode_arrivals(const OfficeHome::Arrivals& arrivals) {
    ByteWriter out;
    out.varint(arrivals.roster.size());
    for (const auto& change : arrivals.roster) {
        out.raw(encode_roster_change(change));
    }
    out.varint(arrivals.registers.size());
    for (const auto& entry : arrivals.registers) {
        out.raw(encode_register(entry));
    }
    return out.take();
}

Result<OfficeHome::Arrivals> decode_arrivals(BytesView bytes) {
    ByteReader in(bytes);
    OfficeHome::Arrivals arrivals;
    const auto changes = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < changes; ++i) {
        arrivals.roster.push_back(TRY(read_roster_change(in)));
    }
    const auto registers = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < registers; ++i) {
        arrivals.registers.push_back(TRY(read_register(in)));
    }
    TRY(in.expect_end("arrivals"));
    return arrivals;
}

}  // namespace

std::filesystem::path default_home() {
    if (const char* home = std::getenv("FIELDPOST_HOME"); home != nullptr && *home != '\0') {
        return home;
    }
    std::error_code ignored;
    if (std::filesystem::exists("/var/lib/fieldpost", ignored)) {
        return "/var/lib/fieldpost";
    }
    if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
        return std::filesystem::path(data) / "fieldpost";
    }
    const char* user = std::getenv("HOME");
    return std::filesystem::path(user == nullptr ? "/" : user) / ".local/share/fieldpost";
}

bool OfficeHome::is_office() const {
    std::error_code ignored;
    return fs::exists(folder_ / "office", ignored);
}

Result<void> OfficeHome::create(const crypto::MachineKeys& machine, const crypto::MailKeys& mail,
                                const Founding& founding, const OfficeIdentity& identity,
                                const Arrivals& arrivals, BytesView invite_seed) const {
    if (is_office()) {
        return fail(Errc::refused, fmt::format("an office lives in {} already", folder_.string()));
    }
    std::error_code error;
    fs::create_directories(folder_, error);
    for (const auto* inside : {"keys", "store", "arrivals"}) {
        if (!error) {
            fs::create_directory(folder_ / inside, error);
        }
        if (!error) {
            fs::permissions(folder_ / inside, fs::perms::owner_all, error);
        }
    }
    if (!error) {
        fs::permissions(
            folder_, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec, error);
    }
    if (error) {
        return fail(Errc::unavailable,
                    fmt::format("cannot make {}: {}", folder_.string(), error.message()));
    }
    TRY(write_whole(folder_ / "keys" / "machine", crypto::encode_machine_keys(machine),
                    secret_mode));
    TRY(write_whole(folder_ / "keys" / "mail", crypto::encode_mail_keys(mail), secret_mode));
    if (!invite_seed.empty()) {
        TRY(write_whole(folder_ / "keys" / "invite", invite_seed, secret_mode));
    }
    TRY(write_whole(folder_ / "founding", encode_founding(founding), shared_mode));
    TRY(write_whole(folder_ / "arrivals" / "first", encode_arrivals(arrivals), secret_mode));
    TRY(write_roster_copy(arrivals.roster));
    ByteWriter office;
    office.u8(1);
    office.u16(value_of(identity.index));
    write(office, identity.incarnation);
    office.u32(identity.mark.seconds);
    return write_whole(folder_ / "office", office.bytes(), shared_mode);
}

Result<crypto::MachineKeys> OfficeHome::machine_keys() const {
    auto file = TRY(read_whole(folder_ / "keys" / "machine", small_file_bytes_max));
    auto keys = crypto::decode_machine_keys(file);
    crypto::wipe(file);
    return keys;
}

Result<crypto::MailKeys> OfficeHome::mail_keys() const {
    auto file = TRY(read_whole(folder_ / "keys" / "mail", small_file_bytes_max));
    auto keys = crypto::decode_mail_keys(file);
    crypto::wipe(file);
    return keys;
}

Result<Founding> OfficeHome::founding() const {
    return decode_founding(TRY(read_whole(folder_ / "founding", small_file_bytes_max)));
}

Result<OfficeIdentity> OfficeHome::identity() const {
    const auto bytes = TRY(read_whole(folder_ / "office", small_file_bytes_max));
    ByteReader in(bytes);
    if (TRY(in.read_u8()) != 1) {
        return fail(Errc::unsupported, "the home was made by a newer release");
    }
    OfficeIdentity identity;
    identity.index = OfficeId{TRY(in.read_u16())};
    identity.incarnation = TRY(read_incarnation(in));
    identity.mark = WallTime{TRY(in.read_u32())};
    TRY(in.expect_end("office"));
    return identity;
}

Result<OfficeHome::Arrivals> OfficeHome::arrivals() const {
    return decode_arrivals(TRY(read_whole(folder_ / "arrivals" / "first", arrivals_bytes_max)));
}

Result<OfficeHome::Arrivals> OfficeHome::roster_copy() const {
    return decode_arrivals(TRY(read_whole(folder_ / "roster", arrivals_bytes_max)));
}

Result<void> OfficeHome::write_roster_copy(const std::vector<RosterChange>& roster) const {
    return write_whole(folder_ / "roster", encode_arrivals({roster, {}}), shared_mode);
}

Result<std::optional<Bytes>> OfficeHome::invite_seed() const {
    auto seed = read_whole(folder_ / "keys" / "invite", small_file_bytes_max);
    if (!seed && seed.error().code == Errc::not_found) {
        return std::optional<Bytes>{};
    }
    return TRY(std::move(seed));
}

void OfficeHome::drop_invite_seed() const {
    ::unlink((folder_ / "keys" / "invite").c_str());
}

}  // namespace fieldpost::home
