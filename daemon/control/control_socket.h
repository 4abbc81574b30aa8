// Serves the command line on a socket in the home. It reads whole requests and sends whole answers.
//
// Promise: only the owner, root and members of the socket's groups are heard. A client that is
// slow, silent or talks nonsense costs only its own connection, and keeps its place only for a
// limited time. Members cannot take all places from the owner.
//
// Not here: the meaning of a request (daemon/runtime).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "proto/vocabulary.h"

namespace fieldpost::control {

enum class ClientId : std::uint64_t {};

struct RequestIn {
    ClientId client{};
    Bytes bytes;
};

// A descriptor to be watched, and whether to watch it for writing.
struct Interest {
    int fd = -1;
    bool wants_write = false;
};

// The rights of a connected client, by its credentials. The owner is the user of this process, or
// root.
enum class Standing { stranger, member, owner };
using StandingOf = std::function<Standing(int fd)>;

// How much a door takes. A request is read whole before it is looked at.
struct DoorLimits {
    std::size_t request_bytes;
    std::size_t answers_bytes;  // of answers that clients have not read yet, all together
};
// A report with all its attachments, and the fields that describe them; and three such answers.
extern const DoorLimits whole_reports;
// Names and filters; and one answer with a whole report.
extern const DoorLimits questions;

class ControlSocket {
public:
    // Replaces a socket left behind; the caller holds the home's lock. unavailable: cannot bind.
    // Members of `also` are heard like members of the file's own group. `standing_of` is for tests.
    // Without it the kernel is asked.
    static Result<std::unique_ptr<ControlSocket>> open(const std::filesystem::path& path,
                                                       const DoorLimits& limits = whole_reports,
                                                       std::optional<gid_t> also = {},
                                                       StandingOf standing_of = {});
    ~ControlSocket();
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;

    [[nodiscard]] std::vector<Interest> interests() const;
    // Call when `fd` is ready. Returns the requests that are whole.
    std::vector<RequestIn> handle(int fd, bool is_readable, bool is_writable, Instant now);
    // Hangs up on clients that stopped in the middle of a request, never began one, or do not read
    // the answer. Other clients need their places, and the turn of a large request. Call at
    // wake_at().
    void drop_stalled(Instant now);
    [[nodiscard]] std::optional<Instant> wake_at() const;
    // Sends the answer and then hangs up. Does nothing if the client is gone.
    void answer(ClientId client, Bytes bytes, Instant now);
    // Answers that clients have not read yet have one common limit. Small answers are always
    // allowed.
    [[nodiscard]] bool has_room_for(std::size_t answer_bytes) const;

private:
    struct Client;
    ControlSocket(std::filesystem::path path, int fd, const DoorLimits& limits,
                  StandingOf standing_of);
    void accept_all(Instant now);
    static bool take(Client& client, std::span<const std::byte> bytes);
    void give_places(Instant now);
    void hang_up(int fd, Instant now);
    [[nodiscard]] bool has_place_for(const Client& client) const;
    [[nodiscard]] std::size_t count_waiting(Standing standing) const;
    [[nodiscard]] const Client* large_one() const;
    [[nodiscard]] bool waits_its_turn(const Client& client) const;
    [[nodiscard]] std::optional<Instant> stalled_at(const Client& client) const;
    void pass_turn(Instant now);

    std::filesystem::path path_;
    int fd_;
    DoorLimits limits_;
    StandingOf standing_of_;
    std::uint64_t next_ = 1;
    std::map<int, Client> clients_;
};

}  // namespace fieldpost::control
