/**
 * How long servers keep a connection on which nothing is asked: for longer than what is in front of them, which usually is 60
 * seconds, so that it is not they who end it. Else a request can be sent at that very moment, and is lost.
 */
export const keepAliveMillis = 72_000;
