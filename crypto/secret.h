// Bytes that nobody else may learn. They cannot be copied, printed or compared with ==, and are
// wiped at the end of their life.
#pragma once

#include <utility>

#include "proto/bytes.h"

namespace fieldpost::crypto {

// Must be called before anything else of this folder. Aborts if libsodium cannot start.
void start();

void wipe(std::span<std::byte> bytes);
void fill_random(std::span<std::byte> bytes);

// A place for one secret lies in memory that is neither swapped nor in a core dump, as far as the
// system locks it. The place is zeros when it is taken, and is wiped when it is given back.
inline constexpr std::size_t secret_bytes_max = 64;
std::byte* take_secret_place();
void give_back_secret_place(std::byte* place) noexcept;
// False if the system refused to lock any of them, because RLIMIT_MEMLOCK is too small.
bool are_secrets_locked();

template <class Tag, std::size_t N>
class Secret {
public:
    static constexpr std::size_t size = N;
    static_assert(N <= secret_bytes_max);

    Secret() : place_(take_secret_place()) {}
    // The secret stays where it is. `other` can then only be assigned to or destroyed.
    Secret(Secret&& other) noexcept : place_(std::exchange(other.place_, nullptr)) {}
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            give_back_secret_place(place_);
            place_ = std::exchange(other.place_, nullptr);
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { give_back_secret_place(place_); }

    static Secret random() {
        Secret secret;
        fill_random(secret.mutable_view());
        return secret;
    }
    // `bytes` must be N long.
    static Secret from(BytesView bytes) {
        ensure(bytes.size() == N, "a secret is made from bytes of its size");
        Secret secret;
        std::ranges::copy(bytes, secret.place_);
        return secret;
    }
    // For the rare code that needs a second copy, and says so by name.
    [[nodiscard]] Secret duplicate() const { return from(view()); }

    [[nodiscard]] BytesView view() const {
        ensure(place_ != nullptr, "a secret that was moved away is not read");
        return {place_, N};
    }
    [[nodiscard]] std::span<std::byte, N> mutable_view() {
        ensure(place_ != nullptr, "a secret that was moved away is not written");
        return std::span<std::byte, N>(place_, N);
    }

private:
    std::byte* place_;
};

using SigningSeed = Secret<struct SigningSeedTag, 32>;
using BoxSecret = Secret<struct BoxSecretTag, 32>;
using SealKey = Secret<struct SealKeyTag, 32>;
using FileKey = Secret<struct FileKeyTag, 16>;

}  // namespace fieldpost::crypto
