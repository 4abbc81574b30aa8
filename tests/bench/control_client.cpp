#include "tests/bench/control_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "proto/bytes.h"
#include "proto/control.pb.h"
#include "proto/limits.h"

namespace fieldpost::bench {

namespace {

bool ask_on(int fd, const std::filesystem::path& path, const wire::Request& request,
            wire::Answer& answer) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ensure(path.native().size() < sizeof address.sun_path, "a temporary path is short");
    std::strcpy(address.sun_path, path.c_str());
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return false;
    }
    ByteWriter out;
    const auto encoded = request.SerializeAsString();
    out.u32(static_cast<std::uint32_t>(encoded.size()));
    out.raw(as_bytes(encoded));
    const auto bytes = out.take();
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
        return false;
    }
    std::string got;
    std::array<char, 65536> buffer;
    for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;) {
        got.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return got.size() >= 4 && answer.ParseFromString(got.substr(4)) && !answer.has_problem();
}

bool ask(const std::filesystem::path& path, const wire::Request& request, wire::Answer& answer) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool done = ask_on(fd, path, request, answer);
    ::close(fd);
    return done;
}

}  // namespace

bool ControlClient::queue(const std::string& to, const std::string& text) const {
    wire::Request request;
    auto& queue = *request.mutable_queue();
    queue.add_to(to);
    queue.set_text(text);
    queue.set_priority(wire::PRIORITY_NORMAL);
    queue.set_lifetime_s(limits::lifetime_seconds_default);
    wire::Answer answer;
    return ask(path_, request, answer) && !answer.id().empty();
}

bool ControlClient::peers() const {
    wire::Request request;
    request.mutable_peers();
    wire::Answer answer;
    return ask(path_, request, answer);
}

bool ControlClient::status() const {
    wire::Request request;
    request.mutable_status();
    wire::Answer answer;
    return ask(path_, request, answer);
}

bool ControlClient::list(const ListFilter& filter) const {
    wire::Request request;
    auto& list = *request.mutable_list();
    list.add_boxes(wire::BOX_INBOX);
    list.add_boxes(wire::BOX_OUTBOX);
    list.set_newest_first(true);
    list.set_limit(51);
    list.set_want_total(true);
    list.set_state(filter.state);
    list.set_from(filter.from);
    list.set_type(filter.type);
    list.set_unanswered(filter.unanswered);
    if (filter.priority != 0) {
        list.set_priority(static_cast<wire::Priority>(filter.priority));
    }
    int found = 0;
    while (true) {
        wire::Answer answer;
        if (!ask(path_, request, answer)) {
            return false;
        }
        found += answer.entries_size();
        if (answer.next_seq() == 0 || found > 50) {
            return true;
        }
        list.set_from_seq(answer.next_seq());
    }
}

std::string ControlClient::queue_urgent(const std::string& to, const std::string& text) const {
    wire::Request request;
    auto& queue = *request.mutable_queue();
    queue.add_to(to);
    queue.set_text(text);
    queue.set_priority(wire::PRIORITY_URGENT);
    queue.set_lifetime_s(limits::lifetime_seconds_default);
    wire::Answer answer;
    return ask(path_, request, answer) ? answer.id() : "";
}

bool ControlClient::is_delivered(const std::string& id) const {
    wire::Request request;
    request.mutable_show()->add_ids(id);
    wire::Answer answer;
    return ask(path_, request, answer) && answer.entries_size() == 1 &&
           answer.entries(0).state() == "delivered";
}

bool ControlClient::answers() const {
    wire::Request request;
    request.mutable_roster();
    wire::Answer answer;
    return ask(path_, request, answer);
}

}  // namespace fieldpost::bench
