/**
 * The user's mistakes. A {@link io.stillhouse.error.StillhouseException} ends a command with exit
 * code 2 and its message alone; every message names the value, the rule it breaks and the mend. Our
 * own mistakes are {@link java.lang.IllegalStateException}s.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.error;
