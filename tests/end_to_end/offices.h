// Offices as staff have them: a home folder, the daemon on it, and the command.
//
// Nothing here knows the daemon from inside: a test learns only what a script could learn.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/program.h"
#include "tests/support/temporary_folder.h"

namespace fieldpost::end_to_end {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

class Office {
public:
    // `folder` holds its home and its daemon's log; both are named after it.
    Office(const std::filesystem::path& folder, std::string name);

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::filesystem::path& home() const { return home_; }
    // The address at which others reach it.
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    [[nodiscard]] std::string log() const;

    // Words that start its daemon, before the daemon's own: for example, in another network.
    void live_behind(Words words) { around_ = std::move(words); }
    // Calls into the local network and listens there; else tests on one machine would meet.
    void be_findable() { is_findable_ = true; }
    // Starts the daemon and waits until it answers. Fails the test if it does not.
    void start();
    // Stops the daemon as systemd does. Fails the test if it does not end well.
    void stop();
    // Ends the daemon as a power cut does.
    void kill();
    [[nodiscard]] bool is_up() { return daemon_ && daemon_->is_running(); }
    [[nodiscard]] pid_t daemon_pid() const { return daemon_->pid(); }

    // fieldpost --home HOME WORDS...
    [[nodiscard]] Command command(Words words, std::string input = {}) const;
    Ran run(Words words, std::string input = {}) const;
    // Runs the command on a terminal.
    Ran show(Words words) const;
    // Runs the command with --json. Fails the test unless it succeeds with one document.
    Json ask(Words words, std::string input = {}) const;
    // Queues a report. Returns the printed ID. Fails the test unless the report was queued.
    std::string queue(Words words, std::string text = {}) const;
    // The same, and waits until all its recipients have it.
    std::string deliver(const Words& words, const std::string& text = {}) const;

private:
    std::string name_;
    std::filesystem::path home_;
    std::filesystem::path log_;
    std::string endpoint_;
    Words around_;
    bool is_findable_ = false;
    std::unique_ptr<Program> daemon_;
};

// The offices of one test, each on this machine, in one temporary folder.
class Network {
public:
    Network() = default;

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
    // Founds the network: hq, which listens, and is up.
    Office& found(const std::string& name = "hq");
    // Invites a machine and lets it join, alone: its daemon is not up, nobody admitted it yet.
    // `inviting` must be up. A relay and an hq listen, a field office does not.
    Office& invite(Office& inviting, const std::string& name, const std::string& role);
    // invite(), then up and admitted.
    Office& add(Office& inviting, const std::string& name, const std::string& role);
    // The same office on a new machine, up and admitted.
    Office& replace(Office& inviting, const std::string& name);
    // A home on which nothing was done yet.
    Office& bare(const std::string& name);

private:
    tests::TemporaryFolder folder_;
    std::map<std::string, std::unique_ptr<Office>> offices_;
};

// True if the office has one link.
bool is_linked(const Office& office);
// True if `at` knows `name` as a member.
bool knows_as_active(const Office& at, const std::string& name);
// status.outbox.STATE and the like: number_in(status, "/outbox/delivered").
std::uint64_t number_in(const Json& document, const std::string& pointer);
// The entry of list --json with this ID; null if there is none.
Json entry_of(const Json& list, const std::string& id);
// The documents of a command that prints one a line.
std::vector<Json> documents_in(const std::string& lines);
// The IDs of list --json, as often as they stand there.
std::vector<std::string> ids_of(const Json& list);

void write_file(const std::filesystem::path& path, std::string_view content);
std::string read_file(const std::filesystem::path& path);
// The files below `folder` in which these bytes stand.
std::vector<std::string> files_with(const std::filesystem::path& folder, std::string_view bytes);
std::string random_bytes(std::size_t size);
// A port on which nobody listens now.
std::uint16_t free_port();

}  // namespace fieldpost::end_to_end
