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

// Further lookups are put off. A dead resolver would answer none of them anyway.
constexpr std::size_t under_way_max = 8;
constexpr std::size_t told_max = 5;
// At this number the counts of earlier questions are forgotten, so that asking for ever new names
// costs no memory.
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

// The addresses of `host`: numeric, each once.
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

// Lives longer than its NameLookup if a resolver is still silent.
struct NameLookup::Shared {
    int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::mutex mutex;  // guards the members below
    std::vector<Answer> answers;
    std::size_t under_way = 0;
    std::size_t told_under_way = 0;  // those of `under_way` for names that others told

    Shared() = default;
    ~Shared() { ::close(event); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    void tell(Answer answer) {
        const std::lock_guard lock(mutex);
        answers.push_back(std::move(answer));
        ::eventfd_write(event, 1);
    }
    // Takes a place, if there is one for a name from this source.
    bool begin(Word word) {
        const std::lock_guard lock(mutex);
        const bool is_told = word != Word::by_hand;
        if (under_way >= under_way_max || (is_told && told_under_way >= told_max)) {
            return false;
        }
        ++under_way;
        told_under_way += is_told ? 1 : 0;
        return true;
    }
    void end(Word word) {
        const std::lock_guard lock(mutex);
        --under_way;
        told_under_way -= word != Word::by_hand ? 1 : 0;
    }
};

NameLookup::NameLookup() : NameLookup(addresses_of) {}
NameLookup::NameLookup(Resolver resolver)
    : shared_(std::make_shared<Shared>()), resolver_(std::move(resolver)) {}
NameLookup::~NameLookup() = default;

bool NameLookup::is_needed(const std::string& endpoint) {
    const auto host = parts_of(endpoint).host;
    in_addr address{};
    return !host.empty() && !host.starts_with('[') &&
           ::inet_pton(AF_INET, host.c_str(), &address) != 1;
}

void NameLookup::ask(std::uint64_t ticket, const std::string& endpoint, Word word) {
    const Answer put_off{ticket, "", true};
    if (!shared_->begin(word)) {
        shared_->tell(put_off);
        return;
    }
    if (asked_.size() >= names_max) {
        asked_.clear();
    }
    const auto turn = asked_[endpoint]++;
    const auto look_up = [shared = shared_, resolver = resolver_, ticket, turn, word,
                          parts = parts_of(endpoint)] {
        const auto addresses = resolver(parts.host);
        shared->end(word);
        shared->tell({ticket, addresses.empty()
                                  ? ""
                                  : fmt::format("tcp://{}:{}", addresses[turn % addresses.size()],
                                                parts.port)});
    };
    try {
        std::thread(look_up).detach();
    } catch (const std::system_error&) {
        shared_->end(word);
        shared_->tell(put_off);
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
