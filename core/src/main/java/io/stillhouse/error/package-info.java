/**
 * User errors. A {@link io.stillhouse.error.StillhouseException} ends a command with exit code 2
 * and only its message, which gives the value, the rule that it breaks, and the fix. Bugs are
 * {@link java.lang.IllegalStateException}s.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.error;
