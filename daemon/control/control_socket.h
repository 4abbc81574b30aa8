// Serves the command line on the socket in the home: whole requests in, whole answers out.
//
// Promise: only the owner, root and members of the socket's group are heard; a client that is slow,
// silent or talks nonsense costs its own connection, and keeps its place only so long; members
// cannot take all places from the owner. Not here: what a request means (daemon/runtime).
#pragma once

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

// A descriptor to be watched, and whether it wants to be written to.
struct Interest {
    int fd = -1;
    bool wants_write = false;
};

// A connected client, by its credentials. The owner is the user of this process, or root.
enum class Standing { stranger, member, owner };
using StandingOf = std::function<Standing(int fd)>;

class ControlSocket {
public:
    // Replaces a socket left behind: the caller holds the home's lock. unavailable: cannot bind.
    // `standing_of` is for tests; without one the kernel is asked.
    static Result<std::unique_ptr<ControlSocket>> open(const std::filesystem::path& path,
                                                       StandingOf standing_of = {});
    ~ControlSocket();
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;

    [[nodiscard]] std::vector<Interest> interests() const;
    // Call when `fd` is ready. What came whole is returned.
    std::vector<RequestIn> handle(int fd, bool is_readable, bool is_writable, Instant now);
    // Hangs up on clients that stopped in the middle of a request, never began one, or do not read
    // the answer: the place, and the turn of a large request, are another's. Call at wake_at().
    void drop_stalled(Instant now);
    [[nodiscard]] std::optional<Instant> wake_at() const;
    // Sends and then hangs up. Nothing if the client is gone.
    void answer(ClientId client, Bytes bytes, Instant now);
    // Answers that clients have not read yet are bounded all together, but for small ones.
    [[nodiscard]] bool has_room_for(std::size_t answer_bytes) const;

private:
    struct Client;
    ControlSocket(std::filesystem::path path, int fd, StandingOf standing_of);
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
    StandingOf standing_of_;
    std::uint64_t next_ = 1;
    std::map<int, Client> clients_;
};

}  // namespace fieldpost::control
