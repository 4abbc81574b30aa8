#include "daemon/link/name_lookup.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <mutex>
#include <system_error>
#include <thread>

namespace fieldpost::link {

namespace {

// More at a time are told to try again later: a resolver that is dead answers none of them.
constexpr std::size_t under_way_max = 8;
// A name asked for so often is forgotten, so that it costs nothing to ask for ever new ones.
constexpr std::size_t names_max = 256;

struct Parts {
    std::string host;
    std::string port;
};

Parts parts_of(const std::string& endpoint) {
    constexpr std::size_t scheme = 6;
    const auto colon = endpoint.rfind(':');
    if (endpoint.size() < scheme || colon == std::string::npos || colon < scheme) {
        return {};
    }
    return {endpoint.substr(scheme, colon - scheme), endpoint.substr(colon + 1)};
}

// Numeric, each once.
std::vector<std::string> addresses_of(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    std::vector<std::string> all;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
        return all;
    }
    for (const auto* one = found; one != nullptr; one = one->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                          NI_NUMERICHOST) == 0) {
            all.emplace_back(one->ai_family == AF_INET6 ? fmt::format("[{}]", text.data())
                                                        : text.data());
        }
    }
    ::freeaddrinfo(found);
    return all;
}

}  // namespace

// Outlives the lookup's owner for as long as a resolver is silent.
struct NameLookup::Shared {
    int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::mutex mutex;  // of what follows
    std::vector<Answer> answers;
    std::size_t under_way = 0;

    Shared() = default;
    ~Shared() { ::close(event); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    void tell(Answer answer) {
        const std::lock_guard lock(mutex);
        answers.push_back(std::move(answer));
        ::eventfd_write(event, 1);
    }
};

NameLookup::NameLookup() : shared_(std::make_shared<Shared>()) {}
NameLookup::~NameLookup() = default;

bool NameLookup::is_needed(const std::string& endpoint) {
    const auto host = parts_of(endpoint).host;
    in_addr address{};
    return !host.empty() && !host.starts_with('[') &&
           ::inet_pton(AF_INET, host.c_str(), &address) != 1;
}

void NameLookup::ask(std::uint64_t ticket, const std::string& endpoint) {
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->under_way >= under_way_max) {
            shared_->answers.push_back({ticket, ""});
            ::eventfd_write(shared_->event, 1);
            return;
        }
        ++shared_->under_way;
    }
    if (asked_.size() >= names_max) {
        asked_.clear();
    }
    const auto turn = asked_[endpoint]++;
    const auto look_up = [shared = shared_, ticket, turn, parts = parts_of(endpoint)] {
        const auto addresses = addresses_of(parts.host);
        {
            const std::lock_guard lock(shared->mutex);
            --shared->under_way;
        }
        shared->tell({ticket, addresses.empty()
                                  ? ""
                                  : fmt::format("tcp://{}:{}", addresses[turn % addresses.size()],
                                                parts.port)});
    };
    try {
        std::thread(look_up).detach();
    } catch (const std::system_error&) {
        const std::lock_guard lock(shared_->mutex);
        --shared_->under_way;
        shared_->answers.push_back({ticket, ""});
        ::eventfd_write(shared_->event, 1);
    }
}

int NameLookup::fd() const {
    return shared_->event;
}

std::vector<NameLookup::Answer> NameLookup::take() {
    const std::lock_guard lock(shared_->mutex);
    eventfd_t count = 0;
    ::eventfd_read(shared_->event, &count);
    return std::exchange(shared_->answers, {});
}

}  // namespace fieldpost::link
