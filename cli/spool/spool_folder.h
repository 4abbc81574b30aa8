// A folder as a door: whatever any program puts there is queued as a report.
//
// FILE.json is a report as `queue --from-json` reads it, whose attachments lie beside it. Any other
// file is a report with that attachment. What was queued lies in done/ID afterwards, and what could
// not be in rejected/, beside a file that says why.
//
// Promise: a file is queued once, also if this ends at any moment. It is first moved into a folder
// of its own below .taking, whose name is the key under which it is queued (`queue --key`). Nothing
// is lost: the content of a file is never changed, and only what has lain in done/ for long is
// removed. Nothing outside this folder is read: links, and files with other names elsewhere, are
// not taken.
//
// The files are real; the clock and the daemon are a SpoolHands.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <set>

#include "cli/medium.h"
#include "cli/queue_request.h"

namespace fieldpost::cli {

using SpoolTime = std::chrono::steady_clock::time_point;

class SpoolHands {
public:
    SpoolHands() = default;
    virtual ~SpoolHands() = default;
    SpoolHands(const SpoolHands&) = delete;
    SpoolHands& operator=(const SpoolHands&) = delete;

    [[nodiscard]] virtual SpoolTime now() const = 0;
    [[nodiscard]] virtual std::int64_t unix_now() const = 0;
    // The ID of the report. An exit code of exit_no_daemon, exit_timed_out, exit_no_space or
    // exit_failed may go away by itself.
    virtual Outcome<std::string> queue(const wire::Request& request) = 0;
    // Something needs a person; empty: nothing does.
    virtual Outcome<void> tell(const std::string& trouble) = 0;
    virtual void say(const std::string& words) = 0;
};

struct SpoolOptions {
    std::vector<std::string> to;
    std::set<std::string> allow{};  // of a JSON object's keys: to, staff, key, replaces
    std::chrono::seconds keep = std::chrono::days{7};  // in done/
};

class SpoolFolder {
public:
    // A file that was the same for so long is whole.
    static constexpr int same_for_ms = 2100;
    SpoolFolder(SpoolHands& hands, std::filesystem::path folder, SpoolOptions options);
    ~SpoolFolder();
    SpoolFolder(const SpoolFolder&) = delete;
    SpoolFolder& operator=(const SpoolFolder&) = delete;

    // Looks once. Returns when to look again. Fails if the daemon is gone.
    Outcome<SpoolTime> turn();

private:
    // The state of a file at a look.
    struct Seen {
        Stamp stamp{};
        SpoolTime since{};  // when it was first so
        bool is_current = false;
    };
    // A file that was moved away to be queued, and those that it names.
    struct Claim {
        std::string key;
        std::string name;  // of the file itself
        [[nodiscard]] bool is_json() const;
    };
    // A claim is queued or rejected; it waits for other files, or until its file does not
    // change any more; it failed, and is tried again.
    enum class Next : std::uint8_t { over, waits, failed };

    Outcome<std::vector<std::string>> look();
    [[nodiscard]] bool is_ready(const std::string& name) const;
    Outcome<void> claim(const std::string& name);
    std::vector<Claim> claims();
    // Takes what is claimed. False: there is more, or some of it failed.
    Outcome<bool> take_claims();
    Outcome<Next> take(const Claim& claim);
    Outcome<std::optional<std::string>> queue(const Claim& claim, const QueueOptions& report);
    bool claim_ready(const std::vector<std::string>& ready, bool is_for_json);
    void remove_empty(const std::string& key);
    Outcome<void> sync();
    bool lock();
    Outcome<QueueOptions> read(const Claim& claim);
    Outcome<bool> has_all(const Claim& claim, const QueueOptions& report);
    Outcome<void> finish(const Claim& claim, const std::string& id);
    Outcome<void> reject(const Claim& claim, const Failure& why);
    Outcome<void> move_rejected(const std::string& key);
    void remove_old();
    void note(const std::string& trouble);
    [[nodiscard]] std::filesystem::path folder_of(const Claim& claim) const;
    [[nodiscard]] std::filesystem::path main_of(const Claim& claim) const;
    void forget(const Claim& claim);

    SpoolHands& hands_;
    std::filesystem::path folder_;
    SpoolOptions options_;
    std::map<std::string, Seen> seen_;
    std::map<std::string, SpoolTime> waits_since_;  // by key
    std::set<std::string> awaited_;                 // names that a JSON object gives
    // By key: what failed is tried again then. With the trouble meanwhile.
    std::map<std::string, std::pair<SpoolTime, std::string>> failed_;
    std::optional<SpoolTime> removed_at_;
    // By key: the claimed file as it was seen last.
    std::map<std::string, Stamp> stamps_;
    std::size_t waiting_ = 0;
    bool is_unsynced_ = true;  // what an earlier process has claimed, too
    int lock_ = -1;
    std::string trouble_;  // all of this turn
    std::optional<std::string> told_;
};

}  // namespace fieldpost::cli
