#include "cli/export/attachment_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "cli/attachments.h"
#include "cli/file_names.h"
#include "cli/medium.h"
#include "cli/text.h"
#include "crypto/hash.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;

namespace {

// Its content lies in the folder under the sum of its bytes. Returns that sum.
Outcome<std::string> save_content(const Common& common, const fs::path& folder,
                                  const std::string& id, int attachment) {
    auto file = OutputFile::create_private_in(folder);
    if (!file) {
        return std::unexpected(file.error());
    }
    crypto::Sha256 sum;
    auto done = each_piece(common, id, attachment, [&](BytesView piece) {
        sum.add(piece);
        return file->write(as_text(piece));
    });
    done = done ? file->close() : done;
    if (!done) {
        return std::unexpected(done.error());
    }
    auto name = to_hex(sum.finish());
    std::error_code error;
    const auto there = fs::file_size(folder / name, error);
    if (error || there != file->size()) {  // it is not there, or not whole
        file->rename_to(folder / name);
        done = file->replace();
    }
    return done ? Outcome<std::string>(std::move(name)) : std::unexpected(done.error());
}

bool is_same(const fs::path& a, const fs::path& b) {
    std::error_code error;
    if (fs::equivalent(a, b, error)) {
        return true;
    }
    if (fs::file_size(a, error) != fs::file_size(b, error) || error) {
        return false;
    }
    std::ifstream one(a, std::ios::binary);
    std::ifstream other(b, std::ios::binary);
    return std::equal(std::istreambuf_iterator<char>(one), {},
                      std::istreambuf_iterator<char>(other), {});
}

Outcome<void> copy_to(const fs::path& from, const fs::path& to) {
    auto file = OutputFile::create_private_in(to.parent_path());
    if (!file) {
        return std::unexpected(file.error());
    }
    std::ifstream in(from, std::ios::binary);
    std::string buffer(std::size_t{1} << 20, '\0');
    Outcome<void> done;
    while (done && (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
                    in.gcount() > 0)) {
        done =
            file->write(std::string_view(buffer).substr(0, static_cast<std::size_t>(in.gcount())));
    }
    done = done ? file->close() : done;
    file->rename_to(to);
    return done ? file->finish() : done;
}

// A name for people. If another content has the name already: "1 (2).jpg".
Outcome<void> name_for_people(const fs::path& content, const fs::path& folder,
                              const std::string& name) {
    const fs::path plain(name);
    for (int i = 1; i < 1000; ++i) {
        const auto path = folder / (i == 1 ? name
                                           : fmt::format("{} ({}){}", plain.stem().string(), i,
                                                         plain.extension().string()));
        if (::link(content.c_str(), path.c_str()) == 0) {
            return {};
        }
        if (errno != EEXIST) {
            return copy_to(content, path);
        }
        if (is_same(content, path)) {
            return {};
        }
    }
    return std::unexpected(
        Failure{exit_failed, "failed", "too many files of that name", "choose another folder"});
}

}  // namespace

Outcome<std::vector<std::string>> save_attachments(const Common& common, const fs::path& folder,
                                                   const wire::Entry& entry) {
    std::vector<std::string> sums;
    if (entry.attachments_size() == 0) {
        return sums;
    }
    const auto for_people = folder / entry.id();
    if (::mkdir(for_people.c_str(), 0700) != 0 && errno != EEXIST) {
        return std::unexpected(Failure{
            errno == ENOSPC ? exit_no_space : exit_failed, "failed",
            fmt::format("cannot make {}: {}", safe_line(for_people.string()), strerror(errno)),
            "choose another folder"});
    }
    for (int i = 0; i < entry.attachments_size(); ++i) {
        auto sum = save_content(common, folder, entry.id(), i);
        if (!sum) {
            return std::unexpected(sum.error());
        }
        const auto named = name_for_people(folder / *sum, for_people,
                                           plain_name(clean_name(entry.attachments(i).name())));
        if (!named) {
            return std::unexpected(named.error());
        }
        sums.push_back(std::move(*sum));
    }
    return sums;
}

}  // namespace fieldpost::cli
