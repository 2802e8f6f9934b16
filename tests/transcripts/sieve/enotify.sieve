--- script
require ["enotify","variables","fileinto"];
set :encodeurl "s" "a b&c";
notify :importance "1" :message "New: ${s}" "mailto:ada@phone.example?subject=x";
if valid_notify_method ["mailto:a@b.example","xmpp:a@b.example"] { discard; }
if notify_method_capability "mailto:a@b.example" "Online" "maybe" { fileinto "m"; }
--- message
From: Grace Hopper <grace+navy@example.org>
To: Ada <ada@example.com>, ben@example.net
Subject: Hello World 42
Date: Tue, 24 Nov 2026 10:30:00 +0200
Message-ID: <m1@example.org>
X-Spam-Score: 7
Content-Type: text/plain; charset=utf-8

The quick brown fox.
--- expect
notify mailto:ada@phone.example?subject=x 1: New: a%20b%26c
fileinto m
