#include "cli/export/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/text.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;

namespace {

std::unexpected<Failure> not_kept() {
    const bool is_full = errno == ENOSPC || errno == EDQUOT;
    return std::unexpected(
        Failure{is_full ? exit_no_space : exit_failed, is_full ? "no_space" : "failed",
                fmt::format("the reports could not be kept for the table: {}", strerror(errno)),
                "is there room beside the output?"});
}

int open_without_name(const fs::path& folder) {
    const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        return fd;
    }
    // FAT and some network file systems have no such files.
    auto name = (folder / ".export-XXXXXX").string();
    const int named = ::mkostemp(name.data(), O_CLOEXEC);
    if (named >= 0) {
        ::unlink(name.c_str());
    }
    return named;
}

}  // namespace

Outcome<Spool> Spool::create(const fs::path& folder) {
    const int fd = open_without_name(folder.empty() ? fs::temp_directory_path() : folder);
    auto* file = fd < 0 ? nullptr : ::fdopen(fd, "w+b");
    if (file == nullptr) {
        return not_kept();
    }
    return Spool(file);
}

Outcome<void> Spool::add(const wire::Entry& entry) {
    const auto bytes = entry.SerializeAsString();
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const bool is_written = std::fwrite(&size, sizeof size, 1, file_.get()) == 1 &&
                            std::fwrite(bytes.data(), 1, size, file_.get()) == size;
    return is_written ? Outcome<void>{} : not_kept();
}

Outcome<void> Spool::each(const std::function<Outcome<void>(const wire::Entry&)>& take) {
    if (std::fflush(file_.get()) != 0 || std::fseek(file_.get(), 0, SEEK_SET) != 0) {
        return not_kept();
    }
    std::uint32_t size = 0;
    std::string bytes;
    while (std::fread(&size, sizeof size, 1, file_.get()) == 1) {
        bytes.resize(size);
        wire::Entry entry;
        if (std::fread(bytes.data(), 1, size, file_.get()) != size ||
            !entry.ParseFromString(bytes)) {
            return not_kept();
        }
        if (auto taken = take(entry); !taken) {
            return taken;
        }
    }
    return {};
}

}  // namespace fieldpost::cli
