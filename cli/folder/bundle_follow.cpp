#include "cli/folder/bundle_follow.h"

#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <map>
#include <utility>

#include "cli/bundle_files.h"
#include "cli/medium.h"
#include "cli/mounts.h"
#include "cli/text.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "daemon/home/office_home.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t half_digits = 8;

// Makes names for files that this office is writing. Only this office can tell these names from
// others.
class OwnParts {
public:
    explicit OwnParts(const fs::path& home) {
        // Members of the group may not read the keys, but can still follow a folder.
        if (const auto keys = home::OfficeHome(home).machine_keys()) {
            key_ = crypto::keyed_hash(keys->founding_key.view(), "folder-part", {},
                                      {as_bytes(fs::absolute(home).string()),
                                       as_bytes(to_hex(keys->link.public_key.view()))});
        }
    }
    [[nodiscard]] std::string make() const {
        if (!key_) {
            return {};
        }
        std::array<std::byte, half_digits / 2> chance{};
        crypto::fill_random(chance);
        return name_of(to_hex(chance));
    }
    [[nodiscard]] bool is_own(const std::string& name) const {
        return key_ && name.ends_with(".part") && name == name_of(name.substr(0, half_digits));
    }

private:
    [[nodiscard]] std::string name_of(const std::string& half) const {
        const auto check = crypto::keyed_hash(key_->view(), "folder-part", {}, {as_bytes(half)});
        return half + to_hex(check.view().first(half_digits / 2)) + ".part";
    }
    std::optional<Hash> key_;
};

class RealHands : public FolderHands {
public:
    RealHands(const Common& common, fs::path folder)
        : common_(common), folder_(std::move(folder)), rate_(common), parts_(common.home) {}

    [[nodiscard]] FolderTime now() const override { return std::chrono::steady_clock::now(); }
    Outcome<FolderPlace> place() override { return place_of(folder_); }
    Outcome<bool> list(std::size_t names_max,
                       const std::function<void(const std::string&)>& see) override {
        return list_names(folder_, names_max, see);
    }
    std::optional<Stamp> stamp(const std::string& name) override {
        return stamp_of(folder_ / name);
    }
    bool is_own_part(const std::string& name) override { return parts_.is_own(name); }
    Outcome<void> remove(const std::string& name, const Stamp& stamp) override {
        return remove_file(folder_ / name, stamp);
    }

    Outcome<std::optional<ReadBundle>> read(const std::string& name,
                                            std::uint64_t bytes_max) override {
        auto at = readings_.find(name);
        if (at == readings_.end()) {
            auto opened = BundleReading::open(common_, folder_ / name, Reading::take_in);
            if (!opened) {
                return std::unexpected(opened.error());
            }
            at = readings_.emplace(name, std::move(*opened)).first;
        }
        auto read = at->second.read_on(bytes_max, rate_);
        if (!read || *read) {
            readings_.erase(at);
        }
        return read;
    }
    void stop_reading(const std::string& name) override { readings_.erase(name); }

    Outcome<Standing> standing(const std::string& state) override {
        return standing_since(common_, state);
    }
    Outcome<std::vector<std::size_t>> row_among(const std::vector<RowCandidate>& files) override {
        return cli::row_among(common_, files);
    }
    Outcome<Written> write(const WriteOptions& order, const FolderPlace& place) override {
        auto named = order;
        named.temporary = parts_.make();
        auto written = write_bundle(common_, folder_, named);
        if (!written || written->files.empty()) {
            return written;
        }
        const auto now = place_of(folder_);
        if (now && now->mount == place.mount && now->medium == place.medium) {
            return written;
        }
        // The medium was taken out meanwhile. No office looks for these files on the disk below.
        for (const auto& file : written->files) {
            if (const auto stamp = stamp_of(file)) {
                (void)remove_file(file, *stamp);
            }
        }
        return std::unexpected(Failure{exit_failed, "medium",
                                       fmt::format("{}: it was taken out while something was "
                                                   "being left there",
                                                   safe_line(folder_.string())),
                                       "put it back"});
    }
    Outcome<void> tell(const std::string& trouble) override {
        wire::Request request;
        request.mutable_folder()->set_path(folder_.string());
        request.mutable_folder()->set_trouble(trouble);
        wire::Answer answer;
        return ask(common_, request, answer);
    }
    void say(const std::string& words) override {
        fmt::print(stderr, "{}: {}\n", safe_line(folder_.string()), safe_line(words));
    }

private:
    const Common& common_;
    fs::path folder_;
    Rate rate_;
    OwnParts parts_;
    std::map<std::string, BundleReading> readings_;
};

}  // namespace

int follow_folder(const Common& common, const fs::path& folder, FollowOptions options) {
    const Interruptible interruptible;
    auto quiet = common;
    quiet.quiet = true;
    RealHands hands(quiet, folder);
    Follower follower(hands, std::move(options));
    while (!Interruptible::is_interrupted()) {
        const auto next = follower.turn();
        if (Interruptible::is_interrupted()) {
            break;
        }
        if (!next) {
            return report(common, next.error());
        }
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*next - hands.now());
        if (wait.count() > 0) {
            ::poll(nullptr, 0, static_cast<int>(wait.count()));
        }
    }
    return exit_done;
}

}  // namespace fieldpost::cli
