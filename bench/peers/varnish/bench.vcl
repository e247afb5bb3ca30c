vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "{{origin_port}}";
}

# A cache, but nothing is cached here: every request goes to the origin.
sub vcl_recv {
    return (pass);
}
