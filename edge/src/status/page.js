// Asks for /status.json once a second and shows it. Texts come from /words.json; nothing is ever read as HTML.
'use strict';

const language = document.documentElement.lang;
const $ = (id) => document.getElementById(id);
let words = { status: {}, alarm: {}, lamp: {} };
let heardAt = 0;

const say = (key) => words.status[key] || key;
const part = (kind, text, name) => {
  const node = document.createElement(kind);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};
const number = (value) => Number(value).toLocaleString(language);
const time = (value) => new Date(value).toLocaleString(language);

function facts(pairs) {
  const list = part('dl');
  for (const [key, value, bad] of pairs) {
    if (value === null || value === undefined || value === '') continue;
    list.append(part('dt', say(key)), part('dd', String(value), bad ? 'bad' : ''));
  }
  return list;
}

function card(title, pairs) {
  const card = part('article');
  card.append(part('h2', title), facts(pairs));
  return card;
}

function station(s) {
  const node = part('article');
  const weight = s.weight === null ? '—' : `${number(s.weight)} kg`;
  node.append(part('h2', `${say('station')} ${s.station_id}`), part('div', weight, 'weight'));
  if (s.silent || s.port_trouble) node.classList.add('stale');
  const garbled = Object.entries(s.garbled).map(([why, count]) => `${say('why_' + why)} ${number(count)}`);
  node.append(facts([
    ['state', say('deck_' + s.state), s.state === 'error' || s.state === 'overload'],
    ['stability', s.stable === null ? say('no_flag') : say(s.stable ? 'stable' : 'moving')],
    ['port', s.port_trouble || s.port, Boolean(s.port_trouble)],
    ['protocol', s.protocol],
    ['rate', `${(s.per_minute / 60).toFixed(1)} /s${s.silent ? ' · ' + say('silent') : ''}`, s.silent],
    ['readings', number(s.readings)],
    ['garbled', garbled.join(', ') || '0'],
  ]));
  return node;
}

function show(s) {
  if (s.error) { away(s.error); return; }
  $('away').hidden = true;
  $('edge').textContent = s.edge ? `— ${s.edge.name}` : '';
  const list = part('ul');
  for (const a of s.alarms) {
    const about = a.subject === null ? '' : ` ${a.subject}`;
    const item = part('li', `${words.alarm[a.code] || a.code}${about ? ' (' + about.trim() + ')' : ''}`, 'bad');
    if (a.detail) item.append(part('div', a.detail));
    list.append(item);
  }
  $('alarms').replaceChildren(...(s.alarms.length ? [list] : [part('p', say('no_alarms'), 'good')]));
  $('stations').replaceChildren(...s.stations.map(station));
  const rest = [
    card(say('buffer'), [
      ['unsent', number(s.unsent)], ['oldest', s.oldest_unsent && time(s.oldest_unsent)],
      ['disk', `${number(Math.floor(s.disk_free / 1048576))} MiB`, s.refusing],
      ['epoch', s.epoch], ['acked', `${number(s.acked)} / ${number(s.next_seq - 1)}`],
    ]),
    card(say('link'), [
      ['state', say('link_' + s.link), s.link !== 'linked'], ['trouble', s.link_trouble, true],
      ['unknown', s.unknown_stations.join(', '), true],
    ]),
    card(say('clock'), [['now', time(s.at)], ['offset', s.clock_offset_ms === null ? null : `${s.clock_offset_ms} ms`]]),
  ];
  for (const b of s.boards) {
    rest.push(card(`${say('board')} ${b.id}`, [
      ['connected', say(b.connected ? 'yes' : 'no'), !b.connected], ['sent', number(b.sent)],
      ['refused', number(b.refused), b.refused > 0], ['unanswered', number(b.unanswered), b.unanswered > 0],
      ['trouble', b.trouble, true],
    ]));
  }
  for (const l of s.lamps) {
    rest.push(card(`${say('lamp')} ${l.id} · ${say('station')} ${l.station_id}`, [
      ['connected', say(l.connected ? 'yes' : 'no'), !l.connected],
      ['shows', l.shows ? say('shows_' + l.shows) : say('unknown_state'), l.shows !== l.wanted],
      ['wanted', `${say('shows_' + l.wanted)} · ${words.lamp[l.why] || l.why}`],
      ['mismatches', number(l.mismatches), l.mismatches > 0],
      ['occupied', l.occupied === null ? null : say(l.occupied ? 'yes' : 'no')],
      ['trouble', l.trouble, true],
    ]));
  }
  rest.push(card(say('program'), [['version', s.version], ['failed', s.failed.join(', '), true]]));
  $('rest').replaceChildren(...rest);
}

// An old weight must not look like one of now.
function away(why) {
  $('away').textContent = `${say('away')} ${why}`;
  $('away').hidden = false;
  for (const node of document.querySelectorAll('#stations article')) node.classList.add('stale');
}

async function get(path) {
  const answer = await fetch(path, { cache: 'no-store' });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function look() {
  const giveUp = setTimeout(() => away(''), 3000);
  try {
    if (!heardAt) words = await get(`words.json?lang=${language}`);
    show(await get('status.json'));
    heardAt = Date.now();
  } catch (error) {
    away(error.message);
  } finally {
    clearTimeout(giveUp);
    setTimeout(look, 1000);
  }
}

look();
